// CLOCK_BOOTTIME: CLOCK_MONOTONIC plus the time that the machine slept.
#include <time.h>

#include "clock.h"

namespace shmkit::os {

int64_t SinceBootNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

}  // namespace shmkit::os
