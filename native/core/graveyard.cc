#include "graveyard.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <list>
#include <mutex>

namespace shmkit {

class Grave {
 public:
  explicit Grave(const os::Segment& range) : range(range) {}

  const os::Segment range;
  const std::chrono::steady_clock::time_point dug = std::chrono::steady_clock::now();
  std::atomic<bool> settled{false};
};

namespace {

using Graves = std::list<std::shared_ptr<Grave>>;

// Half of what Linux allows a process in mappings by default, were none of the ranges neighbours.
constexpr size_t kMostRanges = 32768;
// A hundredth of a 47-bit address space, and less where the process may map less.
constexpr uint64_t kMostBytes = uint64_t{1} << 40;
constexpr uint64_t kMostShare = 8;
// Longer than any call that fills memory in user space; the kernel's own copies never crash.
constexpr std::chrono::seconds kDrainAge{10};
constexpr size_t kMostLooks = 16;

struct Graveyard {
  std::mutex guard;
  Graves fresh;    // not yet drained
  Graves drained;  // oldest first, as in fresh
  size_t ranges = 0;
  uint64_t bytes = 0;

  bool IsFull() const {
    const uint64_t most_bytes = std::min(kMostBytes, os::MappableBytes() / kMostShare);
    return ranges > kMostRanges || bytes > most_bytes;
  }
  void Exhume(const Grave& grave) {
    os::Exhume(grave.range);
    --ranges;
    bytes -= grave.range.size;
  }
};

// Never destroyed: finalizers may run after the statics at the end of a process.
Graveyard& TheGraveyard() {
  static auto* graveyard = new Graveyard;
  return *graveyard;
}

void DrainOld(Graveyard& yard) {
  const auto line = std::chrono::steady_clock::now() - kDrainAge;
  while (!yard.fresh.empty() && yard.fresh.front()->dug < line) {
    os::Drain(yard.fresh.front()->range);
    yard.drained.push_back(std::move(yard.fresh.front()));
    yard.fresh.pop_front();
  }
}

// Gives back the oldest settled ranges while the limits are passed. Those the engine still uses
// (G1) go to the end of their queue; a burial looks at a few only, so that it stays cheap.
void ExhumeOldest(Graveyard& yard, Graves& graves) {
  for (size_t left = std::min(graves.size(), kMostLooks); left > 0; --left) {
    if (!yard.IsFull()) return;
    std::shared_ptr<Grave> grave = std::move(graves.front());
    graves.pop_front();
    if (!grave->settled.load(std::memory_order_acquire)) {
      graves.push_back(std::move(grave));
      continue;
    }
    yard.Exhume(*grave);
  }
}

bool ExhumeAllSettled(Graveyard& yard, Graves& graves) {
  const size_t before = graves.size();
  graves.remove_if([&](const std::shared_ptr<Grave>& grave) {
    if (!grave->settled.load(std::memory_order_acquire)) return false;
    yard.Exhume(*grave);
    return true;
  });
  return graves.size() < before;
}

}  // namespace

std::shared_ptr<Grave> Inter(const os::Segment& segment) {
  const bool is_kept = os::Bury(segment);
  auto grave = std::make_shared<Grave>(segment);
  if (!is_kept) return grave;
  Graveyard& yard = TheGraveyard();
  const std::lock_guard<std::mutex> guard(yard.guard);
  DrainOld(yard);
  yard.fresh.push_back(grave);
  ++yard.ranges;
  yard.bytes += segment.size;
  ExhumeOldest(yard, yard.drained);
  ExhumeOldest(yard, yard.fresh);
  return grave;
}

void Settle(const std::shared_ptr<Grave>& grave) {
  grave->settled.store(true, std::memory_order_release);
}

bool ExhumeSettled() {
  Graveyard& yard = TheGraveyard();
  const std::lock_guard<std::mutex> guard(yard.guard);
  DrainOld(yard);
  return ExhumeAllSettled(yard, yard.drained) || ExhumeAllSettled(yard, yard.fresh);
}

}  // namespace shmkit
