// Checks a word for a moment before sleeping.
//
// Other threads usually need less than one or two microseconds until they change the word, while
// being put to sleep and woken takes ten. But a thread that spins for long takes the processor from
// those it waits for.
#pragma once

#include <atomic>
#include <cstdint>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace shmkit::os {

constexpr int kSpinLooks = 100;

inline void Relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) || defined(__arm__)
  asm volatile("yield");
#endif
}

// Whether the word changes soon.
inline bool ChangesSoon(const std::atomic<uint32_t>& word, uint32_t expected) {
  for (int look = 0; look < kSpinLooks; ++look) {
    if (word.load(std::memory_order_relaxed) != expected) return true;
    Relax();
  }
  return false;
}

}  // namespace shmkit::os
