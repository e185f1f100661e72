// A named kernel mutex (CreateMutexW). Windows itself reports the death of an owner, as
// WAIT_ABANDONED, and grants the mutex with it.
#include <windows.h>

#include <atomic>
#include <new>

#include "abi.h"
#include "mutex.h"
#include "win32.h"

namespace shmkit::os {

namespace {

constexpr uint32_t kMark = 0x7874756d;  // "mutx"

struct Storage {
  std::atomic<uint32_t> mark;
};

std::string NameOf(const ObjectId& id) {
  static const char kDigits[] = "0123456789abcdef";
  std::string name = "shmkit.mutex.";
  for (const uint8_t byte : id) {
    name += kDigits[byte >> 4];
    name += kDigits[byte & 15];
  }
  return name;
}

Grant WaitFor(HANDLE mutex, DWORD milliseconds) {
  switch (WaitForSingleObject(mutex, milliseconds)) {
    case WAIT_OBJECT_0:
      return Grant::kAcquired;
    case WAIT_ABANDONED:
      return Grant::kOwnerDied;
    case WAIT_TIMEOUT:
      return Grant::kTimeout;
    default:
      return Grant::kBroken;
  }
}

}  // namespace

Status Mutex::Initialize(void* storage, const ObjectId&, unsigned) {
  new (storage) Storage{{kMark}};
  return Nothing{};
}

void Mutex::Dispose(const ObjectId&) {}

uint32_t Mutex::AbiWord() {
  return ComposeAbiWord(Mechanism::kWin32, Library::kWindows, sizeof(Storage));
}

Result<Mutex> Mutex::Open(void* storage, const ObjectId& id) {
  HANDLE handle = CreateMutexW(nullptr, FALSE, LocalName(NameOf(id)).c_str());
  if (!handle) return LastFailure("CreateMutexW");
  return Mutex(storage, id, {&static_cast<Storage*>(storage)->mark, kMark}, handle,
               Turns::Sign::kExact);
}

const bool Mutex::kGrantedTwice = true;

void Mutex::Close() { CloseHandle(static_cast<HANDLE>(handle_)); }

// Nothing to do: Windows gives a released mutex to a waiter at once, if there is one (M8).
void Mutex::GiveWay() {}

Grant Mutex::Lock() { return LockUntil(Deadline::Never()); }

Grant Mutex::TryLock() {
  if (!Intact()) return Grant::kBroken;
  return WaitFor(static_cast<HANDLE>(handle_), 0);
}

Grant Mutex::LockUntil(const Deadline& deadline) {
  if (!Intact()) return Grant::kBroken;
  const DWORD wait =
      deadline.never() ? INFINITE : WaitMilliseconds(deadline.remaining_nanoseconds());
  return WaitFor(static_cast<HANDLE>(handle_), wait);
}

void Mutex::Unlock() { ReleaseMutex(static_cast<HANDLE>(handle_)); }

Occupancy Mutex::Peek(bool* owner_died) {
  const Grant grant = TryLock();
  if (grant == Grant::kTimeout) return Occupancy::kHeld;
  if (grant == Grant::kBroken) return Occupancy::kFree;
  if (grant == Grant::kOwnerDied) *owner_died = true;
  Unlock();
  return Occupancy::kFree;
}

bool Mutex::IsHeldHere() const { return false; }

bool Mutex::IsHeldBy(uint32_t) const { return false; }

uint32_t Mutex::CurrentThreadId() { return 0; }

}  // namespace shmkit::os
