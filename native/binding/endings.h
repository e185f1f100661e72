// What is to be ended with an environment, or with the process, when no JavaScript runs for that
// any more: the end of a thread, process.exit(), worker.terminate(), an error that nobody catches,
// signals.
//
// Guarantees, by number:
//
//   N1  It is ended by whatever end of the thread or the process but a kill, an abort, and _exit(),
//       after all that the application does at that end.
//   N2  Only the process that has added it ends it, and none that was forked from it.
//   N3  No end waits long: what is waited for under way has a deadline (manager_end.h, E4).
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
    int64_t process;  // that has added it
    ManagerFacts facts;
    Entry* next;
  };

  Endings() = default;
  Endings(const Endings&) = delete;
  Endings& operator=(const Endings&) = delete;

  // The token of this thread, by which it takes part in what it does, and what it holds.
  void Enter(uint64_t token, Seats* seats);

  // From here on until Remove, the manager that has the seat ends when this thread does, and, if it
  // hears signals, when one of these ends the process. Takes the entry over. Says whether it does
  // hear them.
  bool Add(napi_env env, Entry* entry);
  void Remove(const Entry* entry);

  // The environment ends.
  void Leave(Seats& seats, const os::Presence& presence);

  // The process ends at once: all of all environments, whose threads run on for a moment.
  static void EndAll();
  // Whether it is the token of a thread of this process. While EndAll is under way.
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
  Endings* next_ = nullptr;  // of all environments that have entered
};

void ExportEndings(Napi::Env env, Napi::Object exports);

}  // namespace shmkit
