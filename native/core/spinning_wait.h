// Waits for a word in the calling thread, and looks at it for a moment before it sleeps.
//
// Where processors go idle, a thread that sleeps needs 50 to 100 us to wake up. Others that answer
// at once need less than that for their answer. So to look for as long as that makes conversations
// fast, and at worst makes a wait cost twice as much processor time.
#pragma once

#include <algorithm>

#include "../os/clock.h"
#include "../os/deadline.h"
#include "../os/spin.h"
#include "../os/waiter.h"
#include "spin_history.h"
#include "spin_time.h"

namespace shmkit {

class SpinningWait {
 public:
  // Like os::Wait.
  os::Woken Wait(os::WaitWord& word, uint32_t expected, const os::Deadline& deadline) {
    // A waiter that looks again from time to time, in case others have died, still waits for the
    // same news. They do not come soon.
    const bool goes_on = has_waited_ && expected == expected_;
    has_waited_ = true;
    expected_ = expected;
    const double microseconds = goes_on ? 0 : SpinMicroseconds();
    if (microseconds > 0 && history_.IsWorthwhile()) {
      const bool has_changed = ChangesWithin(microseconds, deadline, word.value, expected);
      history_.Note(!has_changed);
      if (has_changed) return os::Woken::kMaybe;
    }
    return os::Wait(word, expected, deadline);
  }

 private:
  static bool ChangesWithin(double microseconds, const os::Deadline& deadline,
                            const std::atomic<uint32_t>& word, uint32_t expected) {
    int64_t until = os::SteadyNanoseconds() + static_cast<int64_t>(microseconds * 1000);
    if (!deadline.never()) until = std::min(until, deadline.at_nanoseconds());
    do {
      if (os::ChangesSoon(word, expected)) return true;
    } while (os::SteadyNanoseconds() < until);
    return false;
  }

  SpinHistory history_;
  uint32_t expected_ = 0;  // of the last wait
  bool has_waited_ = false;
};

}  // namespace shmkit
