// Contract: what time it is, by clocks that nobody sets.
//
// Guarantees, by number:
//
//   C1  No clock here is ever set, by an administrator or by a server of time, or goes back.
//   C2  SteadyNanoseconds is the clock of Deadlines, which the system's own waits go by. Its zero
//   is
//       nothing to rely on; where the system's waits stand still while the machine sleeps, so does
//       it.
//   C3  SinceBootNanoseconds is the same in all processes of the machine (Linux: of one time
//       namespace), so a moment of it can be left in shared memory. It goes on while the machine
//       sleeps, and begins anew with each boot, as shared memory does.
//
// Mechanisms: clock_linux.cc, clock_darwin.cc, clock_win32.cc. The build files choose.
#pragma once

#include <chrono>
#include <cstdint>

namespace shmkit::os {

// steady_clock is CLOCK_MONOTONIC on Linux, which the pthread and futex calls are given.
inline int64_t SteadyNanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int64_t SinceBootNanoseconds();

}  // namespace shmkit::os
