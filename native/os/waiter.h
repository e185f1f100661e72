// Contract: sleeping until a word in shared memory changes, and waking those who do.
//
// Guarantees, by number:
//
//   W1  Wait returns at once when the word is not `expected`; otherwise it sleeps until a Wake, the
//       deadline, or for no reason at all. Callers look at their condition again, always.
//   W2  A Wake after a change of the word reaches everyone who waited for the value before it: the
//       look and the falling asleep are one step to the waker.
//   W3  A waiter that dies is noticed by nobody. It may leave `waiters` too high, whose whole price
//       is a system call in each later Wake.
//   W4  Any thread of any process that maps the word may wait or wake.
//
// The word is changed by the callers, with sequentially consistent operations: a Wake skips its
// system call when `waiters` is zero, and only that order makes the skip safe.
//
// Mechanisms: waiter_futex.cc (Linux), waiter_darwin.cc, waiter_win32.cc. The build files choose.
#pragma once

#include <atomic>
#include <cstdint>

#include "deadline.h"

namespace shmkit::os {

struct WaitWord {
  std::atomic<uint32_t> value;
  std::atomic<uint32_t> waiters;
};
static_assert(sizeof(WaitWord) == 8, "two words in shared memory");
static_assert(std::atomic<uint32_t>::is_always_lock_free, "the words are shared between processes");

constexpr uint32_t kWakeAll = UINT32_MAX;

enum class Woken { kMaybe, kTimeout };

Woken Wait(WaitWord& word, uint32_t expected, const Deadline& deadline);
void Wake(WaitWord& word, uint32_t how_many);

}  // namespace shmkit::os
