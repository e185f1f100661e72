// Decides whether to look for something for a moment, before going to sleep until it is there.
#pragma once

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
  void Note(bool in_vain) {
    in_vain_ = in_vain ? (in_vain_ < kMostInVain ? in_vain_ + 1 : kMostInVain) : 0;
    skips_ = (1U << in_vain_) - 1;
  }

 private:
  static constexpr unsigned kMostInVain = 6;

  unsigned in_vain_ = 0;
  unsigned skips_ = 0;
};

}  // namespace shmkit
