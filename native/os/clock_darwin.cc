// CLOCK_MONOTONIC_RAW, which is mach_continuous_time in nanoseconds. It counts sleep, which
// CLOCK_UPTIME_RAW does not, and it is not adjusted, as CLOCK_MONOTONIC is.
#include <time.h>

#include "clock.h"

namespace shmkit::os {

int64_t SinceBootNanoseconds() {
  return static_cast<int64_t>(clock_gettime_nsec_np(CLOCK_MONOTONIC_RAW));
}

}  // namespace shmkit::os
