#include "unmapper.h"

#include <mutex>
#include <vector>

#include "../os/condition.h"
#include "../os/thread.h"

namespace shmkit {

namespace {

// To start a thread takes as long as to free a part of this.
constexpr size_t kLargeBytes = 1 << 20;

// How long the thread waits for more to unmap.
constexpr double kLingerMs = 100;

struct Unmapper {
  std::mutex guard;
  os::Condition changed;
  std::vector<os::Segment> waiting;
  size_t unfinished = 0;  // those that are waiting, and the one that is being unmapped
  bool running = false;
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
    const os::Segment segment = unmapper.waiting.back();
    unmapper.waiting.pop_back();
    guard.unlock();
    os::Unmap(segment);
    guard.lock();
    --unmapper.unfinished;
    unmapper.changed.NotifyAll();
  }
  unmapper.running = false;
}

}  // namespace

void UnmapSoon(const os::Segment& segment) {
  // Where a name disappears with the last handle, others could still find it.
  if (os::kNamesOutliveHandles && segment.size >= kLargeBytes) {
    Unmapper& unmapper = TheUnmapper();
    const std::lock_guard<std::mutex> guard(unmapper.guard);
    if (!unmapper.running) unmapper.running = os::StartThread(Run);
    if (unmapper.running) {
      unmapper.waiting.push_back(segment);
      ++unmapper.unfinished;
      unmapper.changed.NotifyAll();
      return;
    }
  }
  os::Unmap(segment);
}

bool AwaitUnmapped() {
  Unmapper& unmapper = TheUnmapper();
  std::unique_lock<std::mutex> guard(unmapper.guard);
  if (unmapper.unfinished == 0) return false;
  unmapper.changed.WaitFor(guard, os::Deadline::Never(), [&] { return unmapper.unfinished == 0; });
  return true;
}

}  // namespace shmkit
