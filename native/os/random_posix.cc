#if defined(__linux__)
#include <sys/syscall.h>
#else
#include <sys/random.h>
#endif
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "random.h"

namespace shmkit::os {

namespace {

bool FillBySystem(void* data, size_t bytes) {
#if defined(__linux__)
  // Not getentropy, which the C library has only since glibc 2.25.
  return syscall(SYS_getrandom, data, bytes, 0) == static_cast<long>(bytes);
#else
  return getentropy(data, bytes) == 0;
#endif
}

// If the call is filtered.
bool FillByFile(void* data, size_t bytes) {
  const int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool is_full = read(fd, data, bytes) == static_cast<ssize_t>(bytes);
  close(fd);
  return is_full;
}

}  // namespace

void FillRandom(void* data, size_t bytes) {
  // Without them, two objects could have the same identity.
  if (!FillBySystem(data, bytes) && !FillByFile(data, bytes)) abort();
}

}  // namespace shmkit::os
