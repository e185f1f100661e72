// Contract: a mutex between processes that survives the death of its owner.
//
// The mutex is in kMutexBytes of shared storage. On some platforms it is also in a kernel object or
// lock file that is named by the ObjectId. A Mutex object is one process's access to it.
//
// Guarantees, by number:
//
//   M1  There is one owner at a time, among all threads of all processes.
//   M2  An owner is a thread. When it ends, however it ends, the system gives the mutex to the next
//       owner, whose result is kOwnerDied. This result means that the mutex was acquired, as
//       kAcquired does, and also that the last owner died. The mutex is released in the ordinary
//       way. A waiter that is killed does not keep a free mutex from the other waiters, even if it
//       was the one that the release woke.
//   M3  Only the owning thread may Unlock.
//   M4  A thread that locks a mutex which it already holds waits for itself for ever (POSIX) or
//       gets the mutex twice (Windows). So the code that uses this class must know what a thread
//       holds.
//   M5  A process must have only one Mutex object for a mutex, at one address. The reason is that
//       systems keep lists of held mutexes by address.
//   M6  The storage must stay mapped while the mutex is held or waited for.
//   M7  If the constant bytes of the storage are not those of this mechanism's mutex, the result is
//       kBroken, and the storage is not touched.
//   M8  A thread that locks again at once does not keep sleeping waiters out for long: within some
//       milliseconds of its releases it leaves the mutex to one of them. No other order is
//       guaranteed. So every call that locks may take some milliseconds longer, now and then, if
//       others wait.
//
// Mechanisms: mutex_pthread.cc is a robust pthread mutex; mutex_flock.cc is a lock file, for
// systems without robust mutexes (macOS); mutex_win32.cc is a kernel mutex. The build files choose.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "deadline.h"
#include "result.h"
#include "turns.h"

namespace shmkit::os {

constexpr size_t kMutexBytes = 64;

// Random, so that successive objects of the same name never share a kernel object.
using ObjectId = std::array<uint8_t, 16>;

enum class Grant {
  kAcquired,
  kOwnerDied,  // acquired; the previous owner died while it held the mutex
  kTimeout,    // not acquired within the time
  kBroken      // not acquired, and never can be
};

enum class Occupancy { kFree, kHeld };

class Mutex {
 public:
  // Makes a mutex in zeroed storage, before any other thread uses the storage. `mode` applies to
  // what the mechanism creates outside the storage.
  static Status Initialize(void* storage, const ObjectId& id, unsigned mode);
  // Removes what Initialize created outside the storage.
  static void Dispose(const ObjectId& id);

  // Says which processes can share a mutex: mechanism, C library, architecture, layout.
  static uint32_t AbiWord();

  static Result<Mutex> Open(void* storage, const ObjectId& id);
  void Close();

  Grant Lock();
  Grant TryLock();
  Grant LockUntil(const Deadline& deadline);
  void Unlock();

  // The id of this thread, for IsHeldBy.
  static uint32_t CurrentThreadId();

  // M4: true if a second lock by the owner gets the mutex twice, false if it waits for ever.
  static const bool kGrantedTwice;

  // Whether a living thread holds the mutex at this moment. If only an attempt to lock can tell,
  // the mutex is locked and unlocked again. If that finds a dead owner, `*owner_died` is set.
  Occupancy Peek(bool* owner_died);
  // Whether a thread of this process holds the mutex. False if the mechanism cannot tell.
  bool IsHeldHere() const;
  // Whether the thread with that CurrentThreadId holds the mutex. False if the mechanism cannot
  // tell. The owner may also be a thread of another PID namespace that has the same id by chance.
  bool IsHeldBy(uint32_t thread) const;

 private:
  // The word of the storage that never changes after Initialize, and its value (M7).
  struct Constant {
    const std::atomic<uint32_t>* word;
    uint32_t value;
  };

  Mutex(void* storage, const ObjectId& id, Constant constant, void* handle, Turns::Sign sign)
      : storage_(storage), constant_(constant), id_(id), handle_(handle), turns_(sign) {}

  // Leaves the mutex to a sleeping waiter for a moment, if that is due (M8).
  void GiveWay();

  bool Intact() const { return constant_.word->load(std::memory_order_relaxed) == constant_.value; }

  void* storage_;
  Constant constant_;
  ObjectId id_;
  void* handle_;  // Windows: the kernel mutex; pthread: the word that says who owns it
  Turns turns_;
};

}  // namespace shmkit::os
