// What is to be ended with an environment, or with the process, where its own thread runs no
// JavaScript any more: worker.terminate(), process.exit() of the main thread, signals.
#pragma once

#include <napi.h>

#include <cstdint>

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
    ManagerFacts facts;
    Entry* next;
  };

  Endings() = default;
  Endings(const Endings&) = delete;
  Endings& operator=(const Endings&) = delete;

  // The token of this thread, by which it takes part in what it does.
  void Enter(uint64_t token);

  // From here on until Remove, the manager that has the seat ends when this thread does, and, if it
  // hears signals, when one of these ends the process. Takes the entry over.
  void Add(napi_env env, Entry* entry);
  void Remove(const Entry* entry);

  // The environment ends.
  void Leave(Seats& seats, const os::Presence& presence);

  // The process ends at once: all of all environments.
  static void EndAll();
  // Whether it is the token of a thread of this process. While EndAll is under way.
  static bool IsOfProcess(uint64_t token);

 private:
  static void Free(Entry* entry);

  uint64_t token_ = 0;
  Entry* first_ = nullptr;
  Endings* next_ = nullptr;  // of all environments that have entered
};

void ExportEndings(Napi::Env env, Napi::Object exports);

}  // namespace shmkit
