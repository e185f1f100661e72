// Whether a thread's stack is large enough for what is done under a lock.
//
// An engine that runs out of stack throws, wherever it is. This must not happen between taking a
// lock and giving it back, because giving it back needs stack, too. No API says how much stack is
// left. But if a call that is a number of bytes further down did not throw, at least these bytes
// exist. So before a lock is taken at a depth that is not known to be safe, JavaScript calls itself
// until it has used kProvenBytes more. If that throws, nothing was taken.
//
// On all systems, stacks grow downwards, and JavaScript's frames are on the thread's own stack.
#pragma once

#include <cstdint>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace shmkit {

class Stack {
 public:
  // Whether there is enough stack for what is done under a lock. If not, the caller must call
  // Prove.
  bool Suffices() {
    const uintptr_t here = Here();
    if (here >= safe_) return true;
    goal_ = here - kProvenBytes;
    return false;
  }
  // Called again and again, each time from further down. Returns whether that was far enough.
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

  // Several times the stack that the deepest change needs below the call that takes its lock.
  static constexpr uintptr_t kNeededBytes = uintptr_t{32} << 10;
  // Twice as much, so that a recursion has to prove it only every few hundred calls.
  static constexpr uintptr_t kProvenBytes = 2 * kNeededBytes;

  uintptr_t safe_ = UINTPTR_MAX;
  uintptr_t goal_ = 0;
};

}  // namespace shmkit
