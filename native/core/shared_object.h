// One process's access to a named object: a published segment with a header that contains an
// os::Mutex, words to wait for, and data.
//
// Invariants, by number. L2 applies to objects that are removed by Unlink, which are locks. Objects
// of other kinds just lose their name (RemoveName), and processes that are attached keep them,
// unless the objects end (L6).
//
//   L1  A process maps an object once, no matter how many environments and handles use it. The
//       registry returns the one SharedObject of an identity, with a reference count (os::Mutex
//       M5).
//   L2  Once an object is live, only the lock's owner writes kDead. This is the last thing that it
//       does before it removes the name and unlocks. So if a thread acquires a lock that is not
//       dead, the name leads to the object of this lock. No other thread can hold another object
//       under that name. Therefore a name that is unlinked never has two lock owners at once. Any
//       thread may replace kLive by kDoomed, which means that an owner of the lock has to do all
//       this (layout.h).
//   L3  The name of a dead object is removed only by the owner of its lock. The reason is that to
//       check where a name leads and to remove it are two steps. Between them, another remover
//       could make room for a new object, and our removal would then remove that object's name.
//       The names of other kinds are removed under the lock, too, except while a user keeps the
//       lock for long. Then, if two other processes remove the name at the same moment, and a third
//       one makes a new object between them, the new object may lose its name.
//   L4  If an owner died, this news must reach an owner that really uses the lock. A thread that
//       acquires the lock only to give it back leaves the news in the header for the next owner.
//   L5  The thread that holds the lock has a reference. The reason is that when a thread ends, the
//       kernel walks its list of held locks, and the mapping must exist then. Unless its process is
//       killed, a thread that ends unlocks what it holds before it drops its references. The next
//       owner is told that the last owner died.
//   L6  An object that has ended cannot be used any more. Its name is removed, as by Unlink or
//       RemoveName. No thread acquires its lock any more. A thread that waits for the lock notices
//       the end at the latest when it checks again, after a slice of time.
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

// Why an object under the right name cannot be used, and what its header said.
enum class Refusal : uint32_t { kTruncated = 1, kForeign, kVersion, kAbi, kKind, kUnfinished };

struct OpenFailure {
  os::Failure failure;             // error 0: look at the refusal
  std::optional<Refusal> refusal;  // the header is not acceptable
  uint32_t found;                  // the size, version, ABI word or kind that was found
};

// To attach to the object of that name, whatever its kind.
constexpr uint16_t kAnyKind = 0;

// What a creator puts into an object in addition to its header. Others find it there completely or
// not at all.
struct Contents {
  uint16_t kind;
  uint32_t type = 0;
  uint64_t length = 0;
  size_t words_bytes = 0;  // after the header, zero except `words`; a multiple of kDataAlignment
  size_t data_bytes = 0;   // after the words, zero except `data`
  const void* words = nullptr;
  size_t initial_words = 0;  // how many bytes of it are given, at most words_bytes
  const void* data = nullptr;
  size_t initial_data = 0;
  // For an object that grows: how many bytes exist at first. Commit adds the rest. When attaching
  // to such an object, any number but 0 will do. 0: all bytes always exist. Either all objects of a
  // kind grow, or none of them.
  size_t first_bytes = 0;
  // For an object whose data never change (os::Segment S9): header and words are shared, and fill
  // whole os::MapUnits. A write into the data stays private to its process. Either all objects of a
  // kind are sealed, or none of them. The data are given in pieces, with their offsets in the
  // object, instead of `data`.
  bool sealed = false;
  const os::Piece* pieces = nullptr;
  size_t piece_count = 0;
  // For a sealed object: memory that has a part of the data already (os::Segment S10), at the
  // offset that it has in the object.
  const os::Draft* draft = nullptr;
};

// What the header said when the object was opened. Any process may have written anything into the
// header since then, so it is not read again.
struct Shape {
  uint32_t type;
  uint64_t length;
  size_t data_at;
  size_t size;
};

enum class Acquired : uint32_t {
  kYes = 0,
  kAbandoned = 1,  // yes, and the last owner died while it held the lock
  kTimeout = 2,
  kGone = 3,         // unlinked: open the name again
  kBroken = 4,       // the mutex's bytes are not a mutex
  kTooManyHeld = 5,  // the thread holds as many locks as the system passes on if it dies
  kEnded = 6,        // the object has ended, together with its manager (L6)
  kShallow = 7,      // not tried: the caller must first prove that its stack suffices
};

class SharedObject {
 public:
  // What is known about an object before it is opened.
  struct Facts {
    os::ObjectId id;
    Shape shape;
  };

  // On success the caller has one reference. `name` is the name of the segment, with its prefix. An
  // object of another kind is refused. The caller must check in all other respects (shape) whether
  // an existing object is as it should be.
  static SharedObject* Open(const std::string& name, unsigned mode, Disposition disposition,
                            const Contents& contents, OpenFailure* why);
  void AddReference();
  void DropReference();

  const Shape& shape() const { return shape_; }
  Mapping* mapping() const { return mapping_; }
  // The word at that offset, among the words or the data. Null if there is none.
  os::WaitWord* WordAt(size_t offset) const;
  // The same for 8 bytes of the data.
  std::atomic<uint64_t>* CellAt(size_t offset) const {
    const bool inside = offset >= shape_.data_at && offset <= shape_.size &&
                        shape_.size - offset >= sizeof(uint64_t) && offset % 8 == 0;
    return inside ? reinterpret_cast<std::atomic<uint64_t>*>(mapping_->bytes() + offset) : nullptr;
  }

  // For an object that grows: makes sure that memory exists for `bytes` from `offset` on
  // (os::Segment S8). EINVAL if these do not lie inside the object.
  os::Status Commit(size_t offset, size_t bytes);

  Acquired TryLock() { return Settle(mutex_.TryLock()); }
  Acquired LockUntil(const os::Deadline& deadline) { return Settle(mutex_.LockUntil(deadline)); }
  void Unlock() {
    if (header_->state.load(std::memory_order_relaxed) == kDoomed) (void)Finish();
    mutex_.Unlock();
  }
  // Gives back a lock that was not used. If this thread was told that an owner died (kAbandoned),
  // the next owner is told again (L4).
  void PutBack(Acquired acquired);
  // From now on the owner counts as dead, so the next owner is told. The caller holds the lock.
  void Abandon() { header_->news.store(kOwnerDied, std::memory_order_relaxed); }

  bool IsLocked();
  // Whether a thread of this process holds the lock. On systems that cannot tell, the result is
  // false, so only true is certain.
  bool IsLockedHere() { return mutex_.IsHeldHere(); }
  // The same for one thread (os::Mutex::CurrentThreadId).
  bool IsLockedBy(uint32_t thread) { return mutex_.IsHeldBy(thread); }

  os::ObjectId id() const { return id_; }

  // Marks the object dead and removes its name: now, if the lock is free, otherwise when its owner
  // releases it. ENOENT if the name already leads elsewhere.
  os::Status Unlink(bool held_by_this_thread);
  // Removes the name if it leads to this object, and does nothing else. ENOENT if it does not.
  os::Status RemoveName(bool held_by_this_thread);
  // L6. Removes the name by Unlink, or by RemoveName.
  os::Status End(bool is_lock, bool held_by_this_thread);
  // Called when this process ends. Some objects have ended, but threads of this process hold their
  // locks. These threads still run for a moment, so their locks are not given up here. But the
  // names of these objects are removed now. This is safe because no other process can make these
  // objects again.
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
  void FinishIfFree();

  const std::string name_;
  Mapping* const mapping_;
  const os::Identity identity_;
  Header* const header_;
  const Shape shape_;
  os::ObjectId id_;  // its value when the object was opened
  os::Mutex mutex_;
  unsigned references_ = 1;  // guarded by the registry's mutex
};

}  // namespace shmkit
