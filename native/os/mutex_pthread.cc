// A robust, process-shared pthread mutex (POSIX.1-2008, pthread_mutexattr_setrobust).
//
// Its type is NORMAL. ERRORCHECK compares thread ids. Two containers that share /dev/shm but not a
// PID namespace can have equal thread ids, which would give a false EDEADLK.
#include <dlfcn.h>
#include <features.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "abi.h"
#include "mutex.h"
#include "spin.h"

namespace shmkit::os {

namespace {

// Behind the mutex: how often it was released while others waited. Only an owner writes it.
using Releases = std::atomic<uint32_t>;
constexpr size_t kReleasesAt = kMutexBytes - sizeof(Releases);

static_assert(sizeof(pthread_mutex_t) <= kReleasesAt, "the storage holds a mutex and the count");

// The kernel's robust-futex ABI: the lock word is the owner's thread id, plus two flag bits.
constexpr uint32_t kOwnerMask = 0x3fffffff;
constexpr uint32_t kWaiters = 0x80000000;
constexpr uint32_t kOwnerDied = 0x40000000;

// How long one sleep of a waiter takes at most. The one that an unlock wakes may be killed before
// it acquires the mutex. If another thread has taken the mutex by then, neither the kernel nor the
// C library knows that others still sleep. So each of them looks again after this time.
constexpr double kSliceMs = 500;
// The same for LockBySteadyClock, whose sleep the kernel does not know of.
constexpr double kSteadySliceMs = 100;
constexpr double kPollMs = 1;

using TimedLock = int (*)(pthread_mutex_t*, clockid_t, const timespec*);

pthread_mutex_t* Of(void* storage) { return static_cast<pthread_mutex_t*>(storage); }

Releases& ReleasesOf(void* storage) {
  return *reinterpret_cast<Releases*>(static_cast<unsigned char*>(storage) + kReleasesAt);
}

int InitializeRobust(pthread_mutex_t* mutex) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_NORMAL);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  const int error = pthread_mutex_init(mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  return error;
}

// How the C library of this process lays out a mutex. This is learnt from a mutex that is created
// here, so that no private layout is written down in this file.
struct Anatomy {
  static constexpr size_t kAbsent = SIZE_MAX;

  size_t type_offset = 0;  // the word that initialisation sets and that never changes
  uint32_t type = 0;
  size_t owner_offset = kAbsent;  // the lock word of the robust-futex ABI
  TimedLock monotonic_lock = nullptr;

  Anatomy() {
    alignas(8) unsigned char bytes[kMutexBytes] = {};
    pthread_mutex_t* mutex = Of(bytes);
    InitializeRobust(mutex);
    const size_t set = Find(bytes, [](uint32_t word, size_t) { return word != 0; });
    if (set != kAbsent) type_offset = set;
    memcpy(&type, bytes + type_offset, sizeof type);

    const uint32_t self = Mutex::CurrentThreadId();
    pthread_mutex_lock(mutex);
    // The type word may be equal to the thread id.
    const size_t fixed = type_offset;
    owner_offset = Find(bytes, [self, fixed](uint32_t word, size_t offset) {
      return word == self && offset != fixed;
    });
    pthread_mutex_unlock(mutex);
    pthread_mutex_destroy(mutex);

#if !defined(SHMKIT_NO_CLOCKLOCK)
    // Exists since glibc 2.30. It is looked up, so that the library can be loaded with an older
    // one.
    monotonic_lock = reinterpret_cast<TimedLock>(dlsym(RTLD_DEFAULT, "pthread_mutex_clocklock"));
#endif
  }

  template <class Predicate>
  static size_t Find(const unsigned char* bytes, Predicate matches) {
    for (size_t offset = 0; offset + 4 <= sizeof(pthread_mutex_t); offset += 4) {
      uint32_t word;
      memcpy(&word, bytes + offset, sizeof word);
      if (matches(word, offset)) return offset;
    }
    return kAbsent;
  }
};

const Anatomy& TheAnatomy() {
  static const Anatomy anatomy;
  return anatomy;
}

// `handle` is that of a Mutex.
uint32_t LockWordIn(const void* handle) {
  return static_cast<const std::atomic<uint32_t>*>(handle)->load(std::memory_order_relaxed);
}

uint32_t OwnerIn(const void* handle) { return LockWordIn(handle) & kOwnerMask; }

const uint32_t* WordAt(const void* storage, size_t offset) {
  return reinterpret_cast<const uint32_t*>(static_cast<const unsigned char*>(storage) + offset);
}

Grant Interpret(int error, pthread_mutex_t* mutex) {
  switch (error) {
    case 0:
      return Grant::kAcquired;
    case EOWNERDEAD:
      // At once, because an unlock without this call would make the mutex ENOTRECOVERABLE for ever.
      pthread_mutex_consistent(mutex);
      return Grant::kOwnerDied;
    case EBUSY:
    case ETIMEDOUT:
      return Grant::kTimeout;
    default:
      return Grant::kBroken;
  }
}

// EBUSY unless the mutex could be acquired without sleeping.
int LockSoon(pthread_mutex_t* mutex) {
  const int error = pthread_mutex_trylock(mutex);
  if (error != EBUSY) return error;
  const size_t offset = TheAnatomy().owner_offset;
  if (offset == Anatomy::kAbsent) return EBUSY;
  const uint32_t* word = WordAt(mutex, offset);
  for (int look = 0; look < kSpinLooks; ++look) {
    Relax();
    if (__atomic_load_n(word, __ATOMIC_RELAXED) & kOwnerMask) continue;
    const int again = pthread_mutex_trylock(mutex);
    if (again != EBUSY) return again;
  }
  return EBUSY;
}

timespec ToTimespec(int64_t nanoseconds) {
  return {static_cast<time_t>(nanoseconds / 1000000000),
          static_cast<long>(nanoseconds % 1000000000)};
}

long SleepAt(uint32_t* word, uint32_t seen, const Deadline& deadline) {
  const timespec until = ToTimespec(deadline.at_nanoseconds());
  return syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen, &until, nullptr, FUTEX_BITSET_MATCH_ANY);
}

void WakeOneAt(uint32_t* word) { syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0); }

// Storage may be overwritten while a thread sleeps, and the C library looks at all of it anew (M7).
bool IsIntact(const pthread_mutex_t* mutex) {
  const Anatomy& anatomy = TheAnatomy();
  return __atomic_load_n(WordAt(mutex, anatomy.type_offset), __ATOMIC_RELAXED) == anatomy.type;
}

int TryIntact(pthread_mutex_t* mutex) {
  return IsIntact(mutex) ? pthread_mutex_trylock(mutex) : EINVAL;
}

// For C libraries whose timed lock uses a clock that an administrator can set (glibc before 2.30,
// musl). It sleeps at the lock word by the steady clock, and takes the mutex with trylock.
int LockBySteadyClock(pthread_mutex_t* mutex, size_t owner_offset, const Deadline& deadline) {
  auto* const word = const_cast<uint32_t*>(WordAt(mutex, owner_offset));
  // A thread that was woken knows that others may sleep, but the word does not say so any more.
  bool was_woken = false;
  for (;;) {
    const int error = TryIntact(mutex);
    if (error == 0 || error == EOWNERDEAD) {
      if (was_woken) __atomic_fetch_or(word, kWaiters, __ATOMIC_RELAXED);
      return error;
    }
    if (error != EBUSY) return error;
    if (deadline.passed()) {
      if (was_woken) WakeOneAt(word);
      return ETIMEDOUT;
    }
    uint32_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);
    if (seen == 0 || (seen & (kOwnerMask | kOwnerDied)) == kOwnerDied) continue;
    // An unlock wakes a waiter only if the word says that there are waiters.
    if ((seen & kWaiters) == 0 &&
        !__atomic_compare_exchange_n(word, &seen, seen | kWaiters, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED)) {
      continue;
    }
    was_woken = SleepAt(word, seen | kWaiters, deadline) == 0;
  }
}

// The same for a C library whose layout is unknown.
int PollUntil(pthread_mutex_t* mutex, const Deadline& deadline) {
  for (;;) {
    const int error = TryIntact(mutex);
    if (error != EBUSY) return error;
    if (deadline.passed()) return ETIMEDOUT;
    const timespec span = ToTimespec(deadline.Within(kPollMs).remaining_nanoseconds());
    nanosleep(&span, nullptr);
  }
}

// One slice of a wait; ETIMEDOUT at its end.
int LockForASlice(pthread_mutex_t* mutex, const Deadline& deadline) {
  if (!IsIntact(mutex)) return EINVAL;
  const Anatomy& anatomy = TheAnatomy();
  if (anatomy.monotonic_lock) {
    const timespec until = ToTimespec(deadline.Within(kSliceMs).at_nanoseconds());
    return anatomy.monotonic_lock(mutex, CLOCK_MONOTONIC, &until);
  }
  const Deadline slice = deadline.Within(kSteadySliceMs);
  return anatomy.owner_offset == Anatomy::kAbsent
             ? PollUntil(mutex, slice)
             : LockBySteadyClock(mutex, anatomy.owner_offset, slice);
}

// A function of its own, like GiveWay, so that the common path has no registers to save for it.
[[gnu::cold, gnu::noinline]] void UnlockAwaited(void* storage, Turns& turns) {
  Releases& releases = ReleasesOf(storage);
  const uint32_t release = releases.load(std::memory_order_relaxed) + 1;
  releases.store(release, std::memory_order_relaxed);
  turns.NoteWaiters(release);
  pthread_mutex_unlock(Of(storage));
}

}  // namespace

Status Mutex::Initialize(void* storage, const ObjectId&, unsigned) {
  if (const int error = InitializeRobust(Of(storage))) return Failure{error, "pthread_mutex_init"};
  return Nothing{};
}

void Mutex::Dispose(const ObjectId&) {}

uint32_t Mutex::AbiWord() {
#if defined(__GLIBC__)
  constexpr Library library = Library::kGlibc;
#elif defined(__linux__)
  constexpr Library library = Library::kMusl;
#else
  constexpr Library library = Library::kOther;
#endif
  return ComposeAbiWord(Mechanism::kPthread, library, sizeof(pthread_mutex_t));
}

Result<Mutex> Mutex::Open(void* storage, const ObjectId& id) {
  // A zeroed or overwritten mutex would act as a private one, or make the C library abort (M7).
  const auto* words = static_cast<const std::atomic<uint32_t>*>(storage);
  const Anatomy& anatomy = TheAnatomy();
  // For a C library whose layout is unknown, it is not known who waits, or who is the owner.
  static std::atomic<uint32_t> unknown{0};
  const size_t owner_offset = anatomy.owner_offset;
  void* const owner = owner_offset == Anatomy::kAbsent
                          ? static_cast<void*>(&unknown)
                          : static_cast<unsigned char*>(storage) + owner_offset;
  return Mutex(storage, id, {words + anatomy.type_offset / 4, anatomy.type}, owner,
               Turns::Sign::kExact);
}

const bool Mutex::kGrantedTwice = false;

void Mutex::Close() {}

[[gnu::cold, gnu::noinline]] void Mutex::GiveWay() {
  const void* const handle = handle_;
  const Releases& releases = ReleasesOf(storage_);
  turns_.GiveWay([handle, &releases](uint32_t release) {
    return OwnerIn(handle) != 0 || releases.load(std::memory_order_relaxed) != release;
  });
}

Grant Mutex::Lock() { return LockUntil(Deadline::Never()); }

Grant Mutex::TryLock() {
  if (!Intact()) return Grant::kBroken;
  if (turns_.due()) GiveWay();
  return Interpret(pthread_mutex_trylock(Of(storage_)), Of(storage_));
}

Grant Mutex::LockUntil(const Deadline& deadline) {
  if (!Intact()) return Grant::kBroken;
  if (turns_.due()) GiveWay();
  int error = LockSoon(Of(storage_));
  while (error == EBUSY) {
    error = LockForASlice(Of(storage_), deadline);
    if (error == ETIMEDOUT && !deadline.passed()) error = EBUSY;
  }
  return Interpret(error, Of(storage_));
}

void Mutex::Unlock() {
  if ((LockWordIn(handle_) & kWaiters) != 0) {
    UnlockAwaited(storage_, turns_);
  } else {
    pthread_mutex_unlock(Of(storage_));
  }
}

Occupancy Mutex::Peek(bool* owner_died) {
  if (TheAnatomy().owner_offset != Anatomy::kAbsent) {
    // The kernel clears the id of an owner that died.
    return OwnerIn(handle_) != 0 ? Occupancy::kHeld : Occupancy::kFree;
  }
  const Grant grant = TryLock();
  if (grant == Grant::kTimeout) return Occupancy::kHeld;
  if (grant == Grant::kBroken) return Occupancy::kFree;
  if (grant == Grant::kOwnerDied) *owner_died = true;
  Unlock();
  return Occupancy::kFree;
}

// Checks whether this process has a thread with the owner's thread id. The owner may be a thread of
// another PID namespace that has the same id by chance. The thread here is not affected even then:
// signal 0 only checks whether a thread exists.
bool Mutex::IsHeldHere() const {
  const uint32_t owner = OwnerIn(handle_);
  return owner != 0 && syscall(SYS_tgkill, getpid(), static_cast<pid_t>(owner), 0) == 0;
}

bool Mutex::IsHeldBy(uint32_t thread) const { return thread != 0 && OwnerIn(handle_) == thread; }

uint32_t Mutex::CurrentThreadId() { return static_cast<uint32_t>(syscall(SYS_gettid)); }

}  // namespace shmkit::os
