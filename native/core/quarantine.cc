#include "quarantine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <list>
#include <mutex>

namespace shmkit {

class QuarantinedRange {
 public:
  explicit QuarantinedRange(const os::Segment& segment) : segment(segment) {}

  const os::Segment segment;
  const std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  std::atomic<bool> settled{false};
};

namespace {

using Ranges = std::list<std::shared_ptr<QuarantinedRange>>;

// Half the number of mappings that Linux allows a process by default, if no ranges are neighbours.
constexpr size_t kMostRanges = 32768;
// A hundredth of a 47-bit address space, or less if the process may map less.
constexpr uint64_t kMostBytes = uint64_t{1} << 40;
constexpr uint64_t kMostShare = 8;
// Longer than any call takes that fills memory in user space. Calls that let the kernel fill memory
// may take longer. They need not be considered, because the kernel never crashes when the memory is
// gone.
constexpr std::chrono::seconds kDrainAge{10};
constexpr size_t kMostLooks = 16;

struct Quarantine {
  std::mutex guard;
  Ranges fresh;    // not yet drained
  Ranges drained;  // oldest first, as in fresh
  size_t ranges = 0;
  uint64_t bytes = 0;

  bool IsFull() const {
    const uint64_t most_bytes = std::min(kMostBytes, os::MappableBytes() / kMostShare);
    return ranges > kMostRanges || bytes > most_bytes;
  }
  void Release(const QuarantinedRange& range) {
    os::GiveBack(range.segment);
    --ranges;
    bytes -= range.segment.size;
  }
};

// Never destroyed, because finalizers may run after the statics at the end of a process.
Quarantine& TheQuarantine() {
  static auto* quarantine = new Quarantine;
  return *quarantine;
}

void DrainOld(Quarantine& quarantine) {
  const auto line = std::chrono::steady_clock::now() - kDrainAge;
  while (!quarantine.fresh.empty() && quarantine.fresh.front()->since < line) {
    os::Drain(quarantine.fresh.front()->segment);
    quarantine.drained.push_back(std::move(quarantine.fresh.front()));
    quarantine.fresh.pop_front();
  }
}

// Gives back the oldest settled ranges while the limits are exceeded. Ranges that the engine still
// uses (G1) go to the end of their queue. Each addition looks at only a few ranges, so that it
// stays cheap.
void ReleaseOldest(Quarantine& quarantine, Ranges& ranges) {
  for (size_t left = std::min(ranges.size(), kMostLooks); left > 0; --left) {
    if (!quarantine.IsFull()) return;
    std::shared_ptr<QuarantinedRange> range = std::move(ranges.front());
    ranges.pop_front();
    if (!range->settled.load(std::memory_order_acquire)) {
      ranges.push_back(std::move(range));
      continue;
    }
    quarantine.Release(*range);
  }
}

bool ReleaseAllSettled(Quarantine& quarantine, Ranges& ranges) {
  const size_t before = ranges.size();
  ranges.remove_if([&](const std::shared_ptr<QuarantinedRange>& range) {
    if (!range->settled.load(std::memory_order_acquire)) return false;
    quarantine.Release(*range);
    return true;
  });
  return ranges.size() < before;
}

}  // namespace

std::shared_ptr<QuarantinedRange> PutInQuarantine(const os::Segment& segment) {
  const bool is_kept = os::Overlay(segment);
  auto range = std::make_shared<QuarantinedRange>(segment);
  if (!is_kept) return range;
  Quarantine& quarantine = TheQuarantine();
  const std::lock_guard<std::mutex> guard(quarantine.guard);
  DrainOld(quarantine);
  quarantine.fresh.push_back(range);
  ++quarantine.ranges;
  quarantine.bytes += segment.size;
  ReleaseOldest(quarantine, quarantine.drained);
  ReleaseOldest(quarantine, quarantine.fresh);
  return range;
}

void Settle(const std::shared_ptr<QuarantinedRange>& range) {
  range->settled.store(true, std::memory_order_release);
}

bool MakeRoom(int error) {
  if (error != ENOMEM && error != ENOSPC) return false;
  return AwaitUnmapped() || (error == ENOMEM && ReleaseSettled());
}

bool ReleaseSettled() {
  Quarantine& quarantine = TheQuarantine();
  const std::lock_guard<std::mutex> guard(quarantine.guard);
  DrainOld(quarantine);
  return ReleaseAllSettled(quarantine, quarantine.drained) ||
         ReleaseAllSettled(quarantine, quarantine.fresh);
}

}  // namespace shmkit
