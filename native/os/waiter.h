// Contract: sleeping until a word in shared memory changes, and waking the sleepers.
//
// Guarantees, by number:
//
//   W1  Wait returns at once if the word is not `expected`. Otherwise it sleeps until a Wake, until
//       the deadline, or returns for no reason. Callers must always check their condition again.
//   W2  A Wake after a change of the word reaches everyone who waited for the value before it: for
//       the waker, the check of the word and the start of the sleep are one step.
//   W3  A waiter that dies affects no other thread. It may leave `waiters` too high. The only cost
//       of that is a system call in each later Wake.
//   W4  Any thread of any process that maps the word may wait or wake.
//
// The callers change the word, with sequentially consistent operations. A Wake skips its system
// call when `waiters` is zero, and only that order makes the skip safe.
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
