// How long to look for something before going to sleep until it is there.
#pragma once

#include <cstdint>

namespace shmkit {

// In microseconds, from SHMKIT_SPIN_US in the environment of the process. Otherwise it is longer
// than it takes to wake a process that sleeps, so that the answer of one that slept is waited for.
// On a machine with one processor it is 0: to look would only keep that processor from those who
// have the news.
double SpinMicroseconds();

// Who looks for longer than this makes way for other threads between two looks (os::MakeWay): those
// who have the news may be waiting for this processor. Others that run already answer within that
// time, and to make way is a system call.
constexpr int64_t kAloneNanoseconds = 5000;

}  // namespace shmkit
