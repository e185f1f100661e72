// One process's access to a named object: a published segment with a header, in which an os::Mutex
// is, words to wait for, and data.
//
// Invariants, by number; L2 holds for objects that are removed by Unlink, which are locks. Other
// kinds just lose their name (RemoveName), and whoever has them keeps them, unless they end (L6).
//
//   L1  A process maps an object once, however many environments and handles use it: the registry
//       hands out the one SharedObject of an identity, counted (os::Mutex M5).
//   L2  kDead is written by the lock's owner alone, as the last thing before it removes the name
//       and unlocks. So whoever acquires a lock that is not dead holds the object that the name
//       leads to, and nobody else can hold another one under that name: unlinking never lets two
//       owners in. Anyone may write kDoomed over kLive.
//   L3  A dead object's name is removed by whoever owns its lock, and by nobody else: to look where
//       a name leads and to remove it are two steps, between which another remover could make room
//       for a new object, and ours would remove that. So is another kind's, but while a user keeps
//       its lock for long: should two others remove the name in the same instant then, and a third
//       make a new object between them, that may lose its name.
//   L4  News of a dead owner reaches somebody who keeps the lock. Whoever acquires it only to give
//       it back leaves the news in the header.
//   L5  Whoever holds the lock has a reference: the kernel walks a thread's list of held locks when
//       it ends, and the mapping must be there. A thread that ends by any end but its process's
//       death puts back what it holds, as a dead owner's, before it drops its references.
//   L6  What ended is of no use to anybody again: its name goes, as it does by Unlink or
//   RemoveName,
//       and nobody acquires its lock any more, nor waits for it for longer than a slice.
#pragma once

#include <cstring>
#include <optional>
#include <string>

#include "../os/mutex.h"
#include "../os/segment.h"
#include "../os/waiter.h"
#include "layout.h"
#include "mapping.h"

namespace shmkit {

enum class Disposition { kCreate, kAttach, kOpen };

// Why an object under the right name is not one to use, with what was found in its header.
enum class Refusal : uint32_t { kTruncated = 1, kForeign, kVersion, kAbi, kKind, kUnfinished };

struct OpenFailure {
  os::Failure failure;             // error 0: it is the refusal that counts
  std::optional<Refusal> refusal;  // a header that was found wanting
  uint32_t found;                  // its size, version, ABI word or kind
};

// To attach to whatever has the name.
constexpr uint16_t kAnyKind = 0;

// What a creator puts into an object beside its header. Others find it there whole or not at all.
struct Contents {
  uint16_t kind;
  uint32_t type = 0;
  uint64_t length = 0;
  size_t words_bytes = 0;  // after the header, zero but for `words`; a multiple of kDataAlignment
  size_t data_bytes = 0;   // after the words, zero but for `data`
  const void* words = nullptr;
  size_t initial_words = 0;  // bytes of it that are given, at most words_bytes
  const void* data = nullptr;
  size_t initial_data = 0;
  // Of an object that grows: how many bytes of it there are at first; the rest comes by Commit. To
  // attach to such an object takes any number but 0. 0: all are there, always. One kind's objects
  // all grow, or none of them.
  size_t first_bytes = 0;
};

// What the header said when the object was opened. Anyone may have written anything into it since,
// so it is not read again.
struct Shape {
  uint32_t type;
  uint64_t length;
  size_t data_at;
  size_t size;
};

enum class Acquired : uint32_t {
  kYes = 0,
  kAbandoned = 1,  // yes, and the last owner died holding it
  kTimeout = 2,
  kGone = 3,         // unlinked: open the name again
  kBroken = 4,       // the mutex's bytes are not a mutex
  kTooManyHeld = 5,  // the thread holds as many as the system would hand on if it died
  kEnded = 6,        // what it belongs to has ended (L6)
  kShallow = 7,      // not tried: the caller has to show first that its stack suffices
};

class SharedObject {
 public:
  // What is known of one before it is opened.
  struct Facts {
    os::ObjectId id;
    Shape shape;
  };

  // On success the caller has one reference. `name` is the segment's, prefix and all. An object of
  // another kind is refused; whether one that was found is otherwise as it should be is for the
  // caller to see (shape).
  static SharedObject* Open(const std::string& name, unsigned mode, Disposition disposition,
                            const Contents& contents, OpenFailure* why);
  void AddReference();
  void DropReference();

  const Shape& shape() const { return shape_; }
  Mapping* mapping() const { return mapping_; }
  // Null unless there is one at that offset, among the words or the data.
  os::WaitWord* WordAt(size_t offset) const;
  // The same for 8 bytes of the data.
  std::atomic<uint64_t>* CellAt(size_t offset) const {
    const bool inside = offset >= shape_.data_at && offset <= shape_.size &&
                        shape_.size - offset >= sizeof(uint64_t) && offset % 8 == 0;
    return inside ? reinterpret_cast<std::atomic<uint64_t>*>(mapping_->bytes() + offset) : nullptr;
  }

  // Of an object that grows: has memory be there from `offset` on, so many bytes (os::Segment S8).
  // EINVAL when these do not lie inside.
  os::Status Commit(size_t offset, size_t bytes);

  Acquired TryLock() { return Settle(mutex_.TryLock()); }
  Acquired LockUntil(const os::Deadline& deadline) { return Settle(mutex_.LockUntil(deadline)); }
  void Unlock() {
    if (header_->state.load(std::memory_order_relaxed) == kDoomed) (void)Finish();
    mutex_.Unlock();
  }
  // Gives back a lock that nobody used, with the news it came with (L4).
  void PutBack(Acquired acquired);
  // Its owner is taken for dead from here on, and so the next one is told. Holding the lock.
  void Abandon() { header_->news.store(kOwnerDied, std::memory_order_relaxed); }

  bool IsLocked();
  // Whether a thread of this process holds it, as far as the system tells: no is a guess.
  bool IsLockedHere() { return mutex_.IsHeldHere(); }

  os::ObjectId id() const { return id_; }

  // Marks the object dead and removes its name, now if the lock is free, else when its owner
  // releases it. ENOENT when the name leads elsewhere already.
  os::Status Unlink(bool held_by_this_thread);
  // Removes the name while it leads to this object, and nothing else. ENOENT when it does not.
  os::Status RemoveName(bool held_by_this_thread);
  // L6. Removes the name by Unlink, or by RemoveName.
  os::Status End(bool is_lock, bool held_by_this_thread);
  // Removes the names of what has ended and is held by threads of this process, which ends now.
  // They run on for a moment, so nobody gives up a lock for them; but what has ended nobody else
  // may make anew, and so the name can go before them.
  static void RemoveNamesHeldHere();

 private:
  SharedObject(std::string name, const os::Segment& segment, const Facts& facts,
               const os::Mutex& mutex);

  static SharedObject* Find(const std::string& name, const Contents& contents, OpenFailure* why,
                            bool* cleared);
  static SharedObject* Adopt(const std::string& name, const os::Segment& segment,
                             const Facts& facts, OpenFailure* why);

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
  bool FinishDoomed();
  bool MayTry();

  const std::string name_;
  Mapping* const mapping_;
  const os::Identity identity_;
  Header* const header_;
  const Shape shape_;
  os::ObjectId id_;  // as it was when the object was opened
  os::Mutex mutex_;
  unsigned references_ = 1;  // guarded by the registry's mutex
};

}  // namespace shmkit
