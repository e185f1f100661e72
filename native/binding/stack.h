// Whether a thread's stack suffices for what is done under a lock.
//
// An engine that runs out of stack throws, wherever it is. That must not happen between taking a
// lock and giving it back: what gives it back takes stack as well. How much there is nobody tells,
// but that a call of so many bytes further down did not throw shows that there were as many. So
// before a lock is taken at a depth that was not shown to be safe, JavaScript calls itself until it
// has used kProvenBytes more; if it throws, nothing was taken.
//
// Stacks of all systems grow downwards, and JavaScript's frames lie on the thread's own.
#pragma once

#include <cstdint>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace shmkit {

class Stack {
 public:
  // Whether there is enough of it for what is done under a lock. If not, Prove is to be called.
  bool Suffices() {
    const uintptr_t here = Here();
    if (here >= safe_) return true;
    goal_ = here - kProvenBytes;
    return false;
  }
  // Called again and again, each time from further down: whether that was far enough.
  bool Prove() {
    if (Here() > goal_) return false;
    safe_ = goal_ + kNeededBytes;
    return true;
  }

 private:
  static uintptr_t Here() {
#if defined(_MSC_VER)
    return reinterpret_cast<uintptr_t>(_AddressOfReturnAddress());
#else
    return reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
#endif
  }

  // What the deepest change needs below the call that takes its lock, several times over.
  static constexpr uintptr_t kNeededBytes = uintptr_t{32} << 10;
  // Twice that, so that a recursion has to show it every few hundred calls only.
  static constexpr uintptr_t kProvenBytes = 2 * kNeededBytes;

  uintptr_t safe_ = UINTPTR_MAX;
  uintptr_t goal_ = 0;
};

}  // namespace shmkit
