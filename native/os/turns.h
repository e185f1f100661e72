// Whose turn it is at a mutex whose system lets anybody have it who comes first.
//
// To give a free mutex to whoever comes is what makes it fast: a waiter takes some microseconds to
// wake, in which its last owner can have had it many times over. It also lets an owner that locks
// again at once keep out for ever those who sleep. So this process's access to a mutex keeps
// account, and now and then leaves one that others wait for to them, for as long as it takes to
// wake.
//
//   1  NoteWaiters, by an owner about to unlock that sees that others wait.
//   2  GiveWay, by any thread of this process that comes for it next: it waits until somebody has
//   it,
//      or nobody came. What it costs is bounded by how rarely it happens.
//
// For mechanisms whose system hands a mutex to nobody in particular. All of it is this process's
// own and only ever a matter of time: what threads see late or not at all makes a turn early or
// late.
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
  // Whether what tells of waiters may go on telling of those who were killed.
  enum class Sign { kExact, kMayLinger };

  explicit Turns(Sign sign) : sign_(sign) {}
  // As an object is made and handed on; nobody else uses it then.
  Turns(const Turns& other) noexcept : sign_(other.sign_) {}
  Turns& operator=(const Turns&) = delete;

  // Whether GiveWay has anything to do: all that a lock costs by which nobody waits.
  bool due() const { return released_.load(std::memory_order_relaxed) != kNobody; }

  void NoteWaiters() {
    const int64_t now = SteadyNanoseconds();
    if (now >= next_.load(std::memory_order_relaxed)) {
      released_.store(now, std::memory_order_relaxed);
    }
  }

  // `taken` says whether somebody has the mutex.
  template <class Taken>
  void GiveWay(const Taken& taken) {
    const int64_t released = released_.exchange(kNobody, std::memory_order_relaxed);
    if (released == kNobody) return;
    const bool came = SeesItTaken(released + patience_.load(std::memory_order_relaxed), taken);
    if (came) {
      patience_.store(kShortestPatience, std::memory_order_relaxed);
      pause_.store(kShortestPause, std::memory_order_relaxed);
    } else if (sign_ == Sign::kExact) {
      // They are there, and have no processor: more time for them, next time.
      Double(patience_, kLongestPatience);
    } else {
      Double(pause_, kLongestPause);
    }
    next_.store(SteadyNanoseconds() + pause_.load(std::memory_order_relaxed),
                std::memory_order_relaxed);
  }

 private:
  static constexpr int64_t kNobody = 0;
  // How long those who were woken have to come, counted from the release, in nanoseconds.
  static constexpr int64_t kShortestPatience = 1000000;
  static constexpr int64_t kLongestPatience = 8000000;
  // How long after a turn others come first again.
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
      // Asleep: those who were woken may need this processor.
      Nap();
      if (taken()) return true;
    }
    return false;
  }

  const Sign sign_;
  std::atomic<int64_t> released_{kNobody};
  std::atomic<int64_t> next_{0};
  std::atomic<int64_t> patience_{kShortestPatience};
  std::atomic<int64_t> pause_{kShortestPause};
};

}  // namespace shmkit::os
