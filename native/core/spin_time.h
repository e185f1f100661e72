// How long to look for something before going to sleep until it is there.
#pragma once

namespace shmkit {

// In microseconds, from SHMKIT_SPIN_US in the environment of the process. Otherwise it is longer
// than it takes to wake a process that sleeps, so that the answer of one that slept is waited for.
// On a machine with one processor it is 0: to look would only keep that processor from those who
// have the news.
double SpinMicroseconds();

}  // namespace shmkit
