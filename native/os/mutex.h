// Contract: a mutex between processes that survives its owner's death.
//
// The mutex lives in kMutexBytes of shared storage and, on some platforms, in a kernel object or
// lock file named by the ObjectId. A Mutex is one process's access to it.
//
// Guarantees, by number:
//
//   M1  One owner at a time, among all threads of all processes.
//   M2  An owner is a thread. When it ends, by whatever end, the system hands the mutex on: the
//       next owner gets kOwnerDied. That is a grant with news: the mutex is held, and will be
//       released in the ordinary way.
//   M3  Only the owning thread may Unlock.
//   M4  A thread that locks what it holds waits for itself for ever (POSIX) or gets it twice
//       (Windows): the floors above must know what a thread holds.
//   M5  One Mutex per storage and process: systems keep lists of held mutexes by address.
//   M6  The storage must stay mapped while the mutex is held or waited for.
//   M7  Storage whose constant bytes are not those of this mechanism's mutex is kBroken, untouched.
//   M8  A thread that locks again at once does not keep out for long those who sleep: within some
//       milliseconds of its releases it leaves one to them. Otherwise no order is kept. So any of
//       the calls that lock may take some milliseconds longer, now and then, where others wait.
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

// Random, so that the objects of one name, one after the other, never share a kernel object.
using ObjectId = std::array<uint8_t, 16>;

enum class Grant {
  kAcquired,
  kOwnerDied,  // acquired, and the owner before died holding it
  kTimeout,    // not acquired within the time
  kBroken      // not acquired, and nobody ever will
};

enum class Occupancy { kFree, kHeld };

class Mutex {
 public:
  // Makes a mutex in zeroed storage, before anyone else can see it. `mode` is for what the
  // mechanism creates outside the storage.
  static Status Initialize(void* storage, const ObjectId& id, unsigned mode);
  // Removes what Initialize made outside the storage.
  static void Dispose(const ObjectId& id);

  // Says which processes can share a mutex: mechanism, C library, architecture, layout.
  static uint32_t AbiWord();

  static Result<Mutex> Open(void* storage, const ObjectId& id);
  void Close();

  Grant Lock();
  Grant TryLock();
  Grant LockUntil(const Deadline& deadline);
  void Unlock();

  // M4: whether its owner gets it once more, of the two.
  static const bool kGrantedTwice;

  // Whether a living thread holds it at this instant. Where only taking it can tell, it is taken
  // and given back, and news of a dead owner found so is added to `*owner_died`.
  Occupancy Peek(bool* owner_died);
  // Whether a thread of this process holds it. Where that cannot be told, no.
  bool IsHeldHere() const;

 private:
  // The word of the storage that nothing changes after Initialize, and its value (M7).
  struct Constant {
    const std::atomic<uint32_t>* word;
    uint32_t value;
  };

  Mutex(void* storage, const ObjectId& id, Constant constant, void* handle, Turns::Sign sign)
      : storage_(storage), constant_(constant), id_(id), handle_(handle), turns_(sign) {}

  // M8.
  void GiveWay();

  bool Intact() const { return constant_.word->load(std::memory_order_relaxed) == constant_.value; }

  void* storage_;
  Constant constant_;
  ObjectId id_;
  void* handle_;  // Windows: the kernel mutex; pthread: the word that says who owns it
  Turns turns_;
};

}  // namespace shmkit::os
