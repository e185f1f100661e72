// A named semaphore for each word, opened at the first wait or wake. A permit is not meant for a
// particular waiter: a later waiter may take the permit of an earlier one, and the permit of a
// killed waiter is left over. So a wait checks the word again every kSliceMs, which limits the cost
// of a stolen permit. A permit that is left over lets a wait return for no reason, which W1 allows.
#include <windows.h>

#include "sections_win32.h"
#include "spin.h"
#include "waiter.h"
#include "waiter_scope.h"
#include "win32.h"

namespace shmkit::os {

namespace {

constexpr double kSliceMs = 15;

}  // namespace

Woken Wait(WaitWord& word, uint32_t expected, const Deadline& deadline) {
  if (ChangesSoon(word.value, expected)) return Woken::kMaybe;
  HANDLE semaphore = SemaphoreOf(&word);
  const WaiterScope counted(word);
  if (!semaphore) return Woken::kMaybe;
  while (word.value.load() == expected) {
    if (deadline.passed()) return Woken::kTimeout;
    const Deadline slice = deadline.Within(kSliceMs);
    if (WaitForSingleObject(semaphore, WaitMilliseconds(slice.remaining_nanoseconds())) !=
        WAIT_TIMEOUT) {
      return Woken::kMaybe;
    }
  }
  return Woken::kMaybe;
}

void Wake(WaitWord& word, uint32_t how_many) {
  const uint32_t waiters = word.waiters.load();
  if (waiters == 0) return;
  HANDLE semaphore = SemaphoreOf(&word);
  // No more permits than waiters: extra permits would only wake later waiters for nothing.
  const uint32_t permits = how_many < waiters ? how_many : waiters;
  // Refused if it would exceed the semaphore's maximum. Then there are permits for all waiters.
  if (semaphore) ReleaseSemaphore(semaphore, static_cast<LONG>(permits), nullptr);
}

}  // namespace shmkit::os
