#include "unmapper.h"

#include <mutex>
#include <vector>

#include "../os/condition.h"
#include "../os/thread.h"

namespace shmkit {

namespace {

// To start a thread takes as long as to free a part of this.
constexpr size_t kLargeBytes = 1 << 20;

// With more bytes to unmap, those who take memory wait.
constexpr size_t kMostWaitingBytes = size_t{64} << 20;

// How long the thread waits for more to unmap.
constexpr double kLingerMs = 100;

struct Unmapper {
  std::mutex guard;
  os::Condition changed;
  std::vector<os::Segment> waiting;  // oldest first
  // How many there have been, and how many of them are unmapped. The thread takes one after the
  // other.
  uint64_t accepted = 0;
  uint64_t unmapped = 0;
  size_t bytes = 0;  // of those that are not
  bool running = false;

  void Await(std::unique_lock<std::mutex>& held, uint64_t count) {
    changed.WaitFor(held, os::Deadline::Never(), [&] { return unmapped >= count; });
  }
};

// Never destroyed, because the thread may outlive the statics at the end of a process.
Unmapper& TheUnmapper() {
  static auto* unmapper = new Unmapper;
  return *unmapper;
}

void Run() {
  Unmapper& unmapper = TheUnmapper();
  std::unique_lock<std::mutex> guard(unmapper.guard);
  for (;;) {
    const auto has_more = [&] { return !unmapper.waiting.empty(); };
    if (!unmapper.changed.WaitFor(guard, os::Deadline::After(kLingerMs), has_more)) break;
    const os::Segment segment = unmapper.waiting.front();
    unmapper.waiting.erase(unmapper.waiting.begin());
    guard.unlock();
    os::Unmap(segment);
    guard.lock();
    ++unmapper.unmapped;
    unmapper.bytes -= segment.size;
    unmapper.changed.NotifyAll();
  }
  unmapper.running = false;
}

}  // namespace

void UnmapSoon(const os::Segment& segment) {
  // Where a name disappears with the last handle, others could still find it. One that grows is
  // mostly address space, which takes no time.
  const bool may_wait = os::kNamesOutliveHandles && !segment.keep_alive;
  if (may_wait && segment.size >= kLargeBytes) {
    Unmapper& unmapper = TheUnmapper();
    const std::lock_guard<std::mutex> guard(unmapper.guard);
    if (!unmapper.running) unmapper.running = os::StartThread(Run);
    if (unmapper.running) {
      unmapper.waiting.push_back(segment);
      unmapper.bytes += segment.size;
      ++unmapper.accepted;
      unmapper.changed.NotifyAll();
      return;
    }
  }
  os::Unmap(segment);
}

bool AwaitUnmapped() {
  Unmapper& unmapper = TheUnmapper();
  std::unique_lock<std::mutex> guard(unmapper.guard);
  if (unmapper.unmapped == unmapper.accepted) return false;
  unmapper.Await(guard, unmapper.accepted);
  return true;
}

void AwaitMostUnmapped(size_t bytes) {
  if (bytes < kLargeBytes) return;
  Unmapper& unmapper = TheUnmapper();
  std::unique_lock<std::mutex> guard(unmapper.guard);
  if (unmapper.bytes > kMostWaitingBytes) unmapper.Await(guard, unmapper.accepted);
}

}  // namespace shmkit
