// Decides whether to look for something for a moment, before going to sleep until it is there.
#pragma once

#include "../os/clock.h"
#include "spin_time.h"

namespace shmkit {

// It is decided by what came of it before: after each time in vain, it is left out for longer, so
// that it is done only once in 2, 4, and at last 64 times. So waits for what does not come soon
// cost little.
class SpinHistory {
 public:
  bool IsWorthwhile() {
    if (skips_ == 0) return true;
    --skips_;
    return false;
  }
  // To be called after a look, with the moment on the monotonic clock at which it began. If others
  // kept the processor from it for longer than it should last, it was in vain, whatever it found:
  // the system would have woken a thread that sleeps sooner.
  void NoteLook(bool has_found, int64_t began) {
    Note(!has_found || MicrosecondsSince(began) > SpinMicroseconds() + kWakeMicroseconds);
  }
  void Note(bool in_vain) {
    in_vain_ = in_vain ? (in_vain_ < kMostInVain ? in_vain_ + 1 : kMostInVain) : 0;
    skips_ = (1U << in_vain_) - 1;
  }
  // To be called after a sleep that news ended, with the moment on the monotonic clock at which the
  // wait began. If they came so soon that a look may have found them, at most one look is left out
  // from then on: others were slow only once, for example because the system stopped them for a
  // moment.
  void NoteWoken(int64_t began) {
    if (MicrosecondsSince(began) >= SpinMicroseconds() + kWakeMicroseconds) return;
    in_vain_ = in_vain_ > 1 ? 1 : in_vain_;
    skips_ = skips_ > 1 ? 1 : skips_;
  }

 private:
  static constexpr unsigned kMostInVain = 6;
  // How long it may take to wake up.
  static constexpr double kWakeMicroseconds = 100;

  static double MicrosecondsSince(int64_t began) {
    return static_cast<double>(os::SteadyNanoseconds() - began) / 1000;
  }

  unsigned in_vain_ = 0;
  unsigned skips_ = 0;
};

}  // namespace shmkit
