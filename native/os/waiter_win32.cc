// A named semaphore for each word, opened when first waited on or woken. A permit that nobody
// takes (its waiter timed out, or was killed) lets a later wait return for no reason, which W1
// allows.
#include <windows.h>

#include "sections_win32.h"
#include "waiter.h"
#include "waiter_scope.h"
#include "win32.h"

namespace shmkit::os {

Woken Wait(WaitWord& word, uint32_t expected, const Deadline& deadline) {
  HANDLE semaphore = SemaphoreOf(&word);
  const WaiterScope counted(word);
  if (!semaphore || word.value.load() != expected) return Woken::kMaybe;
  const DWORD wait =
      deadline.never() ? INFINITE : WaitMilliseconds(deadline.remaining_nanoseconds());
  return WaitForSingleObject(semaphore, wait) == WAIT_TIMEOUT ? Woken::kTimeout : Woken::kMaybe;
}

void Wake(WaitWord& word, uint32_t how_many) {
  const uint32_t waiters = word.waiters.load();
  if (waiters == 0) return;
  HANDLE semaphore = SemaphoreOf(&word);
  // No more permits than waiters: what is left over would only wake later ones for nothing.
  const uint32_t permits = how_many < waiters ? how_many : waiters;
  if (semaphore) ReleaseSemaphore(semaphore, static_cast<LONG>(permits), nullptr);
}

}  // namespace shmkit::os
