// Contract: functions that read the time from clocks that nobody can set.
//
// Guarantees, by number:
//
//   C1  No clock here is ever set, by an administrator or by a time server, and none goes back.
//   C2  SteadyNanoseconds is the clock of Deadlines. The system's own waits use it, too. Do not
//       rely on its zero. If the system's waits stand still while the machine sleeps, so does this
//       clock.
//   C3  SinceBootNanoseconds is the same in all processes of the machine (Linux: of one time
//       namespace), so its value can be stored in shared memory and compared in another process. It
//       also counts while the machine sleeps. It starts again with each boot, as shared memory
//       does.
//
// Mechanisms: clock_linux.cc, clock_darwin.cc, clock_win32.cc. The build files choose.
#pragma once

#include <chrono>
#include <cstdint>

namespace shmkit::os {

// On Linux, steady_clock is CLOCK_MONOTONIC. The pthread and futex calls of this library use that
// clock, too.
inline int64_t SteadyNanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int64_t SinceBootNanoseconds();

}  // namespace shmkit::os
