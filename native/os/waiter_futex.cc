// futex(2), in its process-shared form.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "spin.h"
#include "waiter.h"
#include "waiter_scope.h"

namespace shmkit::os {

namespace {

// FUTEX_WAIT_BITSET takes a moment on the monotonic clock; FUTEX_WAIT takes a span.
long WaitUntil(WaitWord& word, uint32_t expected, const timespec* moment) {
  return syscall(SYS_futex, &word.value, FUTEX_WAIT_BITSET, expected, moment, nullptr,
                 FUTEX_BITSET_MATCH_ANY);
}

}  // namespace

Woken Wait(WaitWord& word, uint32_t expected, const Deadline& deadline) {
  if (ChangesSoon(word.value, expected)) return Woken::kMaybe;
  const WaiterScope counted(word);
  if (word.value.load() != expected) return Woken::kMaybe;
  timespec moment{};
  if (!deadline.never()) {
    moment.tv_sec = static_cast<time_t>(deadline.at_nanoseconds() / 1000000000);
    moment.tv_nsec = static_cast<long>(deadline.at_nanoseconds() % 1000000000);
  }
  const long result = WaitUntil(word, expected, deadline.never() ? nullptr : &moment);
  return result != 0 && errno == ETIMEDOUT ? Woken::kTimeout : Woken::kMaybe;
}

void Wake(WaitWord& word, uint32_t how_many) {
  if (word.waiters.load() == 0) return;
  const int count = how_many > INT_MAX ? INT_MAX : static_cast<int>(how_many);
  syscall(SYS_futex, &word.value, FUTEX_WAKE, count, nullptr, nullptr, 0);
}

}  // namespace shmkit::os
