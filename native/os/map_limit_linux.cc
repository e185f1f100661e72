// The number of mappings that this process may have (proc(5), vm.max_map_count). The system gives
// no memory to anybody in a process that has so many: malloc and the engine end it then. So
// segments stop earlier, and leave some mappings for everything else (S11).
//
// To count the mappings takes a millisecond for some thousands of them. So after each count the
// process may make half of what is left before it counts again.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "mapping_posix.h"

namespace shmkit::os {

namespace {

constexpr int64_t kMostReserve = 4096;
constexpr int64_t kReserveShare = 8;

// So many may be made before the first count, or if the system does not tell.
constexpr int64_t kUncounted = 1024;

// How many segments may be mapped before the next count.
std::atomic<int64_t> allowance{kUncounted};

// The number in a file, or -1.
int64_t NumberIn(const char* path) {
  const Descriptor fd(open(path, O_RDONLY | O_CLOEXEC));
  char text[32];
  const ssize_t bytes = fd.valid() ? read(fd.get(), text, sizeof text - 1) : 0;
  if (bytes <= 0) return -1;
  text[bytes] = 0;
  return strtoll(text, nullptr, 10);
}

// The number of lines in a file, or -1.
int64_t LinesIn(const char* path) {
  const Descriptor fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return -1;
  char text[4096];
  int64_t lines = 0;
  for (;;) {
    const ssize_t bytes = read(fd.get(), text, sizeof text);
    if (bytes < 0) return -1;
    if (bytes == 0) return lines;
    lines += std::count(text, text + bytes, '\n');
  }
}

}  // namespace

bool MayMapSegment() {
  if (allowance.fetch_sub(1, std::memory_order_relaxed) > 0) return true;
  const int64_t limit = NumberIn("/proc/sys/vm/max_map_count");
  const int64_t used = limit < 0 ? -1 : LinesIn("/proc/self/maps");
  if (used < 0) {
    allowance.store(kUncounted, std::memory_order_relaxed);
    return true;
  }
  const int64_t left = limit - std::min(limit / kReserveShare, kMostReserve) - used;
  // A segment takes two mappings if it is sealed, and one if not.
  allowance.store(left / 4, std::memory_order_relaxed);
  return left > 0;
}

}  // namespace shmkit::os
