// A moment on the monotonic clock until which a blocking call may wait.
//
// Limits of waits are moments, not spans. So a call that wakes up early and waits again never waits
// longer in total than requested.
#pragma once

#include <cstdint>
#include <limits>

#include "clock.h"

namespace shmkit::os {

class Deadline {
 public:
  static Deadline Never() { return Deadline(std::numeric_limits<int64_t>::max()); }

  // A span that is too long to add to the clock counts as no limit.
  static Deadline After(double milliseconds) {
    const double nanoseconds = milliseconds * 1e6;
    if (!(nanoseconds < kLongestNanoseconds)) return Never();
    return Deadline(Now() + (nanoseconds > 0 ? static_cast<int64_t>(nanoseconds) : 0));
  }

  // This deadline, or `milliseconds` from now if that comes first.
  Deadline Within(double milliseconds) const {
    const Deadline other = After(milliseconds);
    return other.at_ < at_ ? other : *this;
  }

  bool never() const { return at_ == std::numeric_limits<int64_t>::max(); }
  bool passed() const { return !never() && Now() >= at_; }
  int64_t at_nanoseconds() const { return at_; }

  // 0 when the deadline has passed. Must not be called for Never().
  int64_t remaining_nanoseconds() const {
    const int64_t left = at_ - Now();
    return left > 0 ? left : 0;
  }

 private:
  static constexpr double kLongestNanoseconds = 4e18;

  explicit Deadline(int64_t at) : at_(at) {}

  static int64_t Now() { return SteadyNanoseconds(); }

  int64_t at_;
};

}  // namespace shmkit::os
