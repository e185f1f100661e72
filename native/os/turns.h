// Makes sleeping waiters get their turn at a mutex, although the system gives the mutex to any
// thread that comes first.
//
// Giving a free mutex to the first thread that comes makes the mutex fast: a waiter needs some
// microseconds to wake up, and in that time the last owner can lock and unlock it many times. But
// then an owner that locks again at once can keep sleeping waiters out for ever. So this process's
// access to a mutex keeps track of waiters. Now and then it leaves the mutex to them, for as long
// as a waiter needs to wake up.
//
//   1  NoteWaiters is called by an owner that unlocks and sees that others wait. All processes
//      count such releases together.
//   2  GiveWay is called by any thread of this process that wants the mutex next. It waits until
//      another thread has the mutex or has had it, or until no waiter came in time. Its cost is
//      limited, because it happens rarely.
//
// Without the count, a waiter that held the mutex only for a moment, before GiveWay is called,
// would be waited for in vain.
//
// This class is for systems that give a released mutex to no particular waiter. All state of the
// class belongs to this process and affects only timing. So if a thread sees a change of the state
// late or not at all, the only effect is that waiters get their turn earlier or later.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "deadline.h"
#include "spin.h"
#include "thread.h"

namespace shmkit::os {

class Turns {
 public:
  // Whether the mutex shows exactly if there are waiters, or may still show waiters that were
  // killed.
  enum class Sign { kExact, kMayLinger };

  explicit Turns(Sign sign) : sign_(sign) {}
  // For constructing and passing on the object. No other thread uses it at that time.
  Turns(const Turns& other) noexcept : sign_(other.sign_) {}
  Turns& operator=(const Turns&) = delete;

  // Whether GiveWay has anything to do. This check is the whole cost for a lock without waiters.
  bool due() const { return released_.load(std::memory_order_relaxed) != kNobody; }

  // `release` is the number of this release.
  void NoteWaiters(uint32_t release) {
    const int64_t now = SteadyNanoseconds();
    if (now >= next_.load(std::memory_order_relaxed)) {
      release_.store(release, std::memory_order_relaxed);
      released_.store(now, std::memory_order_release);
    }
  }

  // `taken` gets the number of a release, and says whether a thread has the mutex, or has released
  // it after that.
  template <class Taken>
  void GiveWay(const Taken& taken) {
    const int64_t released = released_.exchange(kNobody, std::memory_order_acquire);
    if (released == kNobody) return;
    const uint32_t release = release_.load(std::memory_order_relaxed);
    const bool came = SeesItTaken(released + patience_.load(std::memory_order_relaxed),
                                  [&] { return taken(release); });
    if (came) {
      patience_.store(kShortestPatience, std::memory_order_relaxed);
      pause_.store(kShortestPause, std::memory_order_relaxed);
    } else if (sign_ == Sign::kExact) {
      // The waiters exist, but got no processor: give them more time at the next turn.
      Double(patience_, kLongestPatience);
    } else {
      Double(pause_, kLongestPause);
    }
    next_.store(SteadyNanoseconds() + pause_.load(std::memory_order_relaxed),
                std::memory_order_relaxed);
  }

 private:
  static constexpr int64_t kNobody = 0;
  // How long woken waiters have to take the mutex, counted from the release, in nanoseconds.
  static constexpr int64_t kShortestPatience = 1000000;
  static constexpr int64_t kLongestPatience = 64000000;
  // How long after a turn of the waiters GiveWay does nothing, so that the first thread that comes
  // gets the mutex. In nanoseconds.
  static constexpr int64_t kShortestPause = 2000000;
  static constexpr int64_t kLongestPause = 16000000;

  static void Double(std::atomic<int64_t>& span, int64_t most) {
    span.store(std::min(2 * span.load(std::memory_order_relaxed), most), std::memory_order_relaxed);
  }

  template <class Taken>
  static bool SeesItTaken(int64_t until, const Taken& taken) {
    for (int look = 0; look < kSpinLooks; ++look) {
      if (taken()) return true;
      Relax();
    }
    while (SteadyNanoseconds() < until) {
      // Sleep, because the woken threads may need this processor.
      Nap();
      if (taken()) return true;
    }
    return false;
  }

  const Sign sign_;
  std::atomic<int64_t> released_{kNobody};
  std::atomic<uint32_t> release_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int64_t> patience_{kShortestPatience};
  std::atomic<int64_t> pause_{kShortestPause};
};

}  // namespace shmkit::os
