// flock(2), repeated when a signal interrupts it.
#pragma once

#include <sys/file.h>

#include <cerrno>

namespace shmkit::os {

inline int Flock(int fd, int operation) {
  int result;
  do result = flock(fd, operation);
  while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace shmkit::os
