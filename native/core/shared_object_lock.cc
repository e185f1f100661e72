// How acquisitions of a shared object's lock are evaluated, and how its name is removed under the
// lock: L2 to L4.
#include <atomic>

#include "../os/thread.h"
#include "shared_object.h"

namespace shmkit {

namespace {

// How long Unlink waits for an owner that is about to release, before it leaves the rest to that
// owner.
constexpr double kUnlinkGraceMs = 10;

// How long RemoveName waits for others that remove the name. If they take longer, it is assumed
// that a user holds the lock.
constexpr double kRemoversGraceMs = 1000;

// How long a thread that finds a dead object under its name waits for the owner that marked it
// dead.
constexpr double kFinisherGraceMs = 1000;

bool IsFailureToRemove(const os::Status& unlinked) {
  return !unlinked.ok() && unlinked.failure().error != ENOENT;
}

}  // namespace

Acquired SharedObject::SettleUncommon(os::Grant grant) {
  const bool ended = header_->ended.load(std::memory_order_relaxed) != 0;
  if (grant == os::Grant::kTimeout) return ended ? Acquired::kEnded : Acquired::kTimeout;
  const uint32_t state = header_->state.load(std::memory_order_relaxed);
  // A dead object may have lost what its mutex keeps outside of it.
  if (grant == os::Grant::kBroken) {
    if (ended) return Acquired::kEnded;
    return state == kDead ? Acquired::kGone : Acquired::kBroken;
  }
  if (grant == os::Grant::kOwnerDied) header_->news.store(kOwnerDied, std::memory_order_relaxed);

  switch (state) {
    case kLive:
      break;
    case kDoomed:
      // If the name cannot be removed, the lock stays in use, and it is ours.
      if (IsFailureToRemove(Finish()) && !ended) break;
      [[fallthrough]];
    case kDead:
      mutex_.Unlock();
      return ended ? Acquired::kEnded : Acquired::kGone;
    default:
      mutex_.Unlock();
      return Acquired::kBroken;
  }
  const bool died = header_->news.exchange(kNoNews, std::memory_order_relaxed) != kNoNews;
  return died ? Acquired::kAbandoned : Acquired::kYes;
}

void SharedObject::PutBack(Acquired acquired) {
  if (acquired == Acquired::kAbandoned) Abandon();
  Unlock();
}

bool SharedObject::IsLocked() {
  bool owner_died = false;
  const bool held = mutex_.Peek(&owner_died) == os::Occupancy::kHeld;
  if (owner_died) header_->news.store(kOwnerDied, std::memory_order_relaxed);
  return held;
}

// The caller holds the lock (L2, L3). A kill after the first step leaves a dead object under the
// name. The next process that opens the name removes it. What the mutex keeps outside of the object
// is removed last, because without it nobody could acquire the lock for that. It can happen that
// the name cannot be removed: that needs permission to write to the directory, or ownership of the
// file. Then the object comes back to life, because otherwise nobody could use that name any more.
os::Status SharedObject::Finish() {
  header_->state.store(kDead, std::memory_order_release);
  const os::Status unlinked = os::Unlink(name_, &identity_);
  if (IsFailureToRemove(unlinked)) {
    const bool ended = header_->ended.load(std::memory_order_relaxed) != 0;
    header_->state.store(ended ? kDoomed : kLive, std::memory_order_release);
  } else {
    os::Mutex::Dispose(id_);
  }
  return unlinked;
}

// Removes the name of a dead object that still has its name. The last owner of its lock died before
// it removed the name, or is about to remove it.
os::Status SharedObject::Clear() {
  const os::Grant grant = mutex_.LockUntil(os::Deadline::After(kFinisherGraceMs));
  if (grant == os::Grant::kTimeout) return os::Failure{EBUSY, "unlink"};
  if (grant == os::Grant::kBroken) return os::Unlink(name_, &identity_);
  // The object is not dead any more if another thread could not remove the name and has brought the
  // object back to life, as Finish does.
  if (header_->state.load(std::memory_order_relaxed) == kDead) (void)Finish();
  mutex_.Unlock();
  return os::Nothing{};
}

// Finishes a doomed object. Its owner died without finishing it, or Unlink left it to an owner that
// was killed since then. Any thread that comes across the object and can get its lock does this: a
// thread that opens the name, or that lets go of the object. Returns whether the object is dead.
bool SharedObject::FinishDoomed() {
  if (header_->state.load(std::memory_order_acquire) != kDoomed) return false;
  if (!os::Mutex::kGrantedTwice) {
    FinishIfFree();
  } else {
    // A thread that holds the lock would get it a second time (os::Mutex M4), and it is not known
    // here whether the caller holds it. So a thread tries that holds nothing.
    std::atomic<bool> is_done{false};
    const auto attempt = [this, &is_done] {
      FinishIfFree();
      is_done.store(true);
    };
    if (!os::StartThread(attempt)) return false;
    while (!is_done.load()) os::Nap();
  }
  return header_->state.load(std::memory_order_relaxed) == kDead;
}

void SharedObject::FinishIfFree() {
  const Acquired acquired = TryLock();
  if (acquired == Acquired::kYes || acquired == Acquired::kAbandoned) PutBack(acquired);
}

os::Status SharedObject::Unlink(bool held_by_this_thread) {
  uint32_t state = kLive;
  header_->state.compare_exchange_strong(state, kDoomed);
  if (state == kDead) return os::Failure{ENOENT, "unlink"};
  // If this thread holds the lock, the name is removed when it unlocks the lock. It must not be
  // removed before: another thread could make a new object of that name, and acquire its lock,
  // while this thread still holds the old one.
  if (held_by_this_thread) return os::Nothing{};

  const os::Grant grant = mutex_.LockUntil(os::Deadline::After(kUnlinkGraceMs));
  if (grant == os::Grant::kTimeout) return os::Nothing{};
  if (grant == os::Grant::kBroken) {
    // Its owner may have finished in the meantime, and removed what the mutex keeps outside of the
    // object.
    if (header_->state.load(std::memory_order_relaxed) == kDead) return os::Nothing{};
    // A lock that can never be acquired guards nothing. Only its name is left to be removed.
    return os::Unlink(name_, &identity_);
  }
  const bool dead = header_->state.load(std::memory_order_relaxed) == kDead;
  const os::Status finished = dead ? os::Status(os::Nothing{}) : Finish();
  mutex_.Unlock();
  return finished;
}

// The name is removed under the lock, so that the second of two removers sees what the first one
// has done (L3).
os::Status SharedObject::RemoveName(bool held_by_this_thread) {
  const Acquired acquired =
      held_by_this_thread ? Acquired::kTimeout : LockUntil(os::Deadline::After(kRemoversGraceMs));
  const os::Status unlinked = os::Unlink(name_, &identity_);
  if (acquired == Acquired::kYes || acquired == Acquired::kAbandoned) PutBack(acquired);
  if (unlinked.ok()) mapping_->NoteUnlinked();
  return unlinked;
}

// An object other than a lock is marked doomed only after RemoveName. If it were marked before, the
// acquisition of the lock in RemoveName would find the mark, and remove the name itself. After
// that, each acquisition finds the object doomed or dead, and then checks whether it has ended.
os::Status SharedObject::End(bool is_lock, bool held_by_this_thread) {
  header_->ended.store(1, std::memory_order_relaxed);
  if (is_lock) return Unlink(held_by_this_thread);
  const os::Status removed = RemoveName(held_by_this_thread);
  uint32_t state = kLive;
  header_->state.compare_exchange_strong(state, kDoomed);
  return removed;
}

}  // namespace shmkit
