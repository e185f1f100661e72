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
#include "../os/thread.h"
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
    if (microseconds == 0) return os::Wait(word, expected, deadline);
    const int64_t began = os::SteadyNanoseconds();
    if (history_.IsWorthwhile()) {
      const bool has_changed = ChangesWithin(microseconds, began, deadline, word.value, expected);
      history_.NoteLook(has_changed, began);
      if (has_changed) return os::Woken::kMaybe;
    }
    const os::Woken woken = os::Wait(word, expected, deadline);
    if (word.value.load(std::memory_order_relaxed) != expected) history_.NoteWoken(began);
    return woken;
  }

 private:
  static bool ChangesWithin(double microseconds, int64_t began, const os::Deadline& deadline,
                            const std::atomic<uint32_t>& word, uint32_t expected) {
    int64_t until = began + static_cast<int64_t>(microseconds * 1000);
    if (!deadline.never()) until = std::min(until, deadline.at_nanoseconds());
    for (int64_t now = began; now < until; now = os::SteadyNanoseconds()) {
      if (now - began >= kAloneNanoseconds) os::MakeWay();
      if (os::ChangesSoon(word, expected)) return true;
    }
    return word.load(std::memory_order_relaxed) != expected;
  }

  SpinHistory history_;
  uint32_t expected_ = 0;  // of the last wait
  bool has_waited_ = false;
};

}  // namespace shmkit
