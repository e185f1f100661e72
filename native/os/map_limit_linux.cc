// The number of mappings that this process may have (proc(5), vm.max_map_count). In a process that
// has so many, the system gives no memory to anybody: malloc and the engine end it then. So
// segments stop earlier, and leave some mappings for everything else.
//
// To count the mappings takes a millisecond for a thousand of them. So after each count, the
// process may make half of what is left before it counts again. What it unmaps, it may map again.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>

#include "map_limit_linux.h"
#include "mapping_posix.h"

namespace shmkit::os {

namespace {

// What is left to everything else: a part of the limit, up to a number.
constexpr int64_t kReserveShare = 8;
constexpr int64_t kMostReserve = 4096;

// A segment takes up to two mappings.
constexpr int64_t kPerSegment = 2;

// How far into the reserve existing segments may be mapped, in segments.
constexpr int64_t kUseMargin = kMostReserve / 2 / kPerSegment;

// So many may be made before the first count, or if the system does not tell.
constexpr int64_t kUncounted = 1024;

// A count that refused a segment is good for so long, in nanoseconds, unless something is unmapped.
constexpr int64_t kRefusalNs = 100'000'000;

// How many segments may be mapped before the next count. It is negative in the reserve.
std::atomic<int64_t> allowance{kUncounted};
std::atomic<int64_t> refused_until{0};

int64_t Now() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

// The number in a file, or -1.
int64_t LimitIn(const char* path) {
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

Status CheckMappings(MappedFor purpose) {
  const int64_t least = purpose == MappedFor::kUse ? -kUseMargin : 0;
  if (allowance.fetch_sub(1, std::memory_order_relaxed) > least) return Nothing{};
  allowance.fetch_add(1, std::memory_order_relaxed);
  const Failure refused{ENOMEM, "mmap"};
  if (Now() < refused_until.load(std::memory_order_relaxed)) return refused;
  const int64_t limit = LimitIn("/proc/sys/vm/max_map_count");
  const int64_t used = limit < 0 ? -1 : LinesIn("/proc/self/maps");
  if (used < 0) {
    allowance.store(kUncounted, std::memory_order_relaxed);
    return Nothing{};
  }
  const int64_t left = limit - std::min(limit / kReserveShare, kMostReserve) - used;
  const int64_t allowed = left / 2 / kPerSegment;
  allowance.store(allowed - 1, std::memory_order_relaxed);
  if (allowed > least) return Nothing{};
  allowance.fetch_add(1, std::memory_order_relaxed);
  refused_until.store(Now() + kRefusalNs, std::memory_order_relaxed);
  return refused;
}

void NoteUnmapped() { allowance.fetch_add(1, std::memory_order_relaxed); }

}  // namespace shmkit::os
