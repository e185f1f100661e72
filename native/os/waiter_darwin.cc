// __ulock_wait and __ulock_wake, in their process-shared form. Apple's own locks and libc++'s
// std::atomic::wait are built on these calls. Their public form, os_sync_wait_on_address, exists
// only since macOS 14.4.
#include <cerrno>

#include "spin.h"
#include "waiter.h"
#include "waiter_scope.h"

extern "C" {
int __ulock_wait(uint32_t operation, void* address, uint64_t value, uint32_t timeout_us);
int __ulock_wake(uint32_t operation, void* address, uint64_t wake_value);
}

namespace shmkit::os {

namespace {

constexpr uint32_t kCompareAndWaitShared = 3;   // UL_COMPARE_AND_WAIT_SHARED
constexpr uint32_t kWakeEveryone = 0x00000100;  // ULF_WAKE_ALL
constexpr uint32_t kReturnError = 0x01000000;   // ULF_NO_ERRNO

// The span has 32 bits of microseconds, and 0 means for ever. So long waits are divided into
// slices.
constexpr double kSliceMs = 60 * 1000;

}  // namespace

Woken Wait(WaitWord& word, uint32_t expected, const Deadline& deadline) {
  if (ChangesSoon(word.value, expected)) return Woken::kMaybe;
  const WaiterScope counted(word);
  for (;;) {
    if (word.value.load() != expected) return Woken::kMaybe;
    if (deadline.passed()) return Woken::kTimeout;
    const int64_t span = deadline.Within(kSliceMs).remaining_nanoseconds() / 1000;
    const int result = __ulock_wait(kCompareAndWaitShared | kReturnError, &word.value, expected,
                                    static_cast<uint32_t>(span > 0 ? span : 1));
    if (result != -ETIMEDOUT) return Woken::kMaybe;
  }
}

void Wake(WaitWord& word, uint32_t how_many) {
  if (word.waiters.load() == 0) return;
  if (how_many > 1) {
    // The call can wake one or all; W1 allows unnecessary wake-ups.
    __ulock_wake(kCompareAndWaitShared | kWakeEveryone | kReturnError, &word.value, 0);
    return;
  }
  __ulock_wake(kCompareAndWaitShared | kReturnError, &word.value, 0);
}

}  // namespace shmkit::os
