// A named semaphore for each word, opened when first waited on or woken. Permits do not know whom
// they are for: a later waiter may take an earlier one's, and one whose waiter was killed is left
// over. So a wait looks at the word again every kSliceMs, which bounds what a stolen permit costs,
// and a permit left over lets a wait return for no reason, which W1 allows.
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
  // No more permits than waiters: what is left over would only wake later ones for nothing.
  const uint32_t permits = how_many < waiters ? how_many : waiters;
  // Refused when it would exceed the semaphore's maximum: then there are permits for everybody.
  if (semaphore) ReleaseSemaphore(semaphore, static_cast<LONG>(permits), nullptr);
}

}  // namespace shmkit::os
