// One process's access to a named lock: a published segment with a header and an os::Mutex.
//
// Invariants, by number:
//
//   L1  A process maps an object once, however many environments and handles use it: the registry
//       hands out the one LockObject of an identity, counted (os::Mutex M5).
//   L2  kDead is written by the lock's owner alone, as the last thing before it removes the name
//       and unlocks. So whoever acquires a lock that is not dead holds the object that the name
//       leads to, and nobody else can hold another one under that name: unlinking never lets two
//       owners in. Anyone may write kDoomed over kLive.
//   L3  A dead object's name is removed by whoever owns its lock, and by nobody else: to look where
//       a name leads and to remove it are two steps, between which another remover could make room
//       for a new object, and ours would remove that.
//   L4  News of a dead owner reaches somebody who keeps the lock. Whoever acquires it only to give
//       it back leaves the news in the header.
//   L5  A mapping under a lock that may be held by a thread of this process stays for good: the
//       kernel walks that thread's list of locks when it ends.
#pragma once

#include <cstring>
#include <optional>
#include <string>

#include "../os/mutex.h"
#include "../os/segment.h"
#include "layout.h"

namespace shmkit {

enum class Disposition { kCreate, kAttach, kOpen };

// Why an object under the right name is not one to use, with what was found in its header.
enum class Refusal : uint32_t { kTruncated = 1, kForeign, kVersion, kAbi, kKind, kUnfinished };

struct OpenFailure {
  os::Failure failure;             // error 0: it is the refusal that counts
  std::optional<Refusal> refusal;  // a header that was found wanting
  uint32_t found;                  // its size, version, ABI word or kind
};

enum class Acquired : uint32_t {
  kYes = 0,
  kAbandoned = 1,  // yes, and the last owner died holding it
  kTimeout = 2,
  kGone = 3,         // unlinked: open the name again
  kBroken = 4,       // the mutex's bytes are not a mutex
  kTooManyHeld = 5,  // the thread holds as many as the system would hand on if it died
};

class LockObject {
 public:
  // On success the caller has one reference. `name` is the segment's, prefix and all.
  static LockObject* Open(const std::string& name, unsigned mode, Disposition disposition,
                          OpenFailure* why);
  void AddReference();
  void DropReference();
  // L5: from now on the last reference does not unmap it.
  void Pin();

  Acquired TryLock() { return Settle(mutex_.TryLock()); }
  Acquired LockUntil(const os::Deadline& deadline) { return Settle(mutex_.LockUntil(deadline)); }
  void Unlock() {
    if (header_->state.load(std::memory_order_relaxed) == kDoomed) (void)Finish();
    mutex_.Unlock();
  }
  // Gives back a lock that nobody used, with the news it came with (L4).
  void PutBack(Acquired acquired);

  bool IsLocked();

  os::ObjectId id() const { return id_; }

  // Marks the object dead and removes its name, now if the lock is free, else when its owner
  // releases it. ENOENT when the name leads elsewhere already.
  os::Status Unlink(bool held_by_this_thread);

 private:
  LockObject(std::string name, const os::Segment& segment, const os::Mutex& mutex)
      : name_(std::move(name)),
        segment_(segment),
        header_(static_cast<Header*>(segment.address)),
        mutex_(mutex) {
    memcpy(id_.data(), header_->id, id_.size());
  }

  static LockObject* Find(const std::string& name, OpenFailure* why, bool* cleared);
  static LockObject* Adopt(const std::string& name, const os::Segment& segment, OpenFailure* why);

  Acquired Settle(os::Grant grant) {
    if (grant == os::Grant::kAcquired && header_->state.load(std::memory_order_relaxed) == kLive &&
        header_->news.load(std::memory_order_relaxed) == kNoNews) {
      return Acquired::kYes;
    }
    return SettleUncommon(grant);
  }
  Acquired SettleUncommon(os::Grant grant);
  os::Status Finish();
  os::Status Clear();

  const std::string name_;
  const os::Segment segment_;
  Header* const header_;
  os::ObjectId id_;  // as it was when the object was opened
  os::Mutex mutex_;
  unsigned references_ = 1;  // guarded by the registry's mutex, as is pinned_
  bool pinned_ = false;
};

}  // namespace shmkit
