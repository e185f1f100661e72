// Ends managers with an environment, or with the process, when no JavaScript runs for that any
// more: at the end of a thread, process.exit(), worker.terminate(), an uncaught error, signals.
//
// Guarantees, by number:
//
//   N1  A manager ends however the thread or the process ends, except by a kill, an abort, and
//       _exit(). It ends after everything that the application does at that end.
//   N2  Only the process that added a manager ends it, and no process that was forked from it.
//   N3  No end waits long: every wait on the way has a deadline (manager_end.h, E4).
#pragma once

#include <napi.h>

#include <cstdint>
#include <thread>

#include "../core/manager_end.h"
#include "../os/presence.h"
#include "seats.h"

namespace shmkit {

class Endings {
 public:
  // A manager, and how it ends.
  struct Entry {
    uint32_t seat;
    bool hears_signals;
    int64_t process;  // that added the entry
    ManagerFacts facts;
    Entry* next;
  };

  Endings() = default;
  Endings(const Endings&) = delete;
  Endings& operator=(const Endings&) = delete;

  // Must be called on the environment's thread before Add. `token` is the token of this thread
  // (os::Presence). In a manager's roster it stands for this thread. `seats` says which locks this
  // thread holds.
  void Enter(uint64_t token, Seats* seats);

  // From now on until Remove, the manager of that seat ends when this thread ends. If it hears
  // signals, it also ends when a signal ends the process. Takes ownership of the entry. Returns
  // whether it does hear signals.
  bool Add(napi_env env, Entry* entry);
  void Remove(const Entry* entry);

  // Called when the environment ends. Ends all managers that were added and not removed.
  void Leave(Seats& seats, const os::Presence& presence);

  // Ends all managers of all environments of this process. Called when the process is about to end.
  // Its threads still run for a moment.
  static void EndAll();
  // Whether `token` belongs to a thread of this process. Call it only during EndAll.
  static bool IsOfProcess(uint64_t token);

 private:
  static void Free(Entry* entry);
  static void EndAtExit();
  static void EndEach();
  void GiveUpHere();

  uint64_t token_ = 0;
  Seats* seats_ = nullptr;
  std::thread::id thread_;
  Entry* first_ = nullptr;
  Endings* next_ = nullptr;  // in the list of all environments that have entered
};

void ExportEndings(Napi::Env env, Napi::Object exports);

}  // namespace shmkit
