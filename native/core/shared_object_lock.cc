// How a shared object's lock is settled and how its name is removed under it: L2 to L4.
#include "shared_object.h"

namespace shmkit {

namespace {

// How long Unlink waits for an owner that is about to release, before it leaves the rest to it.
constexpr double kUnlinkGraceMs = 10;

// How long RemoveName waits for others who remove the name, and have to be taken for a user who
// holds the lock when they take longer.
constexpr double kRemoversGraceMs = 1000;

// How long somebody who finds a dead object under its name waits for the owner that killed it.
constexpr double kFinisherGraceMs = 1000;

bool IsFailureToRemove(const os::Status& unlinked) {
  return !unlinked.ok() && unlinked.failure().error != ENOENT;
}

}  // namespace

Acquired SharedObject::SettleUncommon(os::Grant grant) {
  const bool ended = header_->ended.load(std::memory_order_relaxed) != 0;
  if (grant == os::Grant::kTimeout) return ended ? Acquired::kEnded : Acquired::kTimeout;
  const uint32_t state = header_->state.load(std::memory_order_relaxed);
  // A dead object may have lost what its mutex kept outside of it.
  if (grant == os::Grant::kBroken) {
    if (ended) return Acquired::kEnded;
    return state == kDead ? Acquired::kGone : Acquired::kBroken;
  }
  if (grant == os::Grant::kOwnerDied) header_->news.store(kOwnerDied, std::memory_order_relaxed);

  switch (state) {
    case kLive:
      break;
    case kDoomed:
      // Where the name cannot be removed the lock stays in use, and is ours.
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

// Holding the lock (L2, L3). A kill after the first step leaves a dead object under the name, which
// the next to come there clears. What the mutex keeps outside goes last: without it, nobody could
// acquire the lock to do so. An object whose name cannot be removed (it takes permission to write
// to the directory, or to own the file) comes back to life: nobody could use that name any more.
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

// A dead object that still has its name: its last owner died before it removed it, or is about to.
os::Status SharedObject::Clear() {
  const os::Grant grant = mutex_.LockUntil(os::Deadline::After(kFinisherGraceMs));
  if (grant == os::Grant::kTimeout) return os::Failure{EBUSY, "unlink"};
  if (grant == os::Grant::kBroken) return os::Unlink(name_, &identity_);
  // Dead no more when somebody who could not remove the name has given it back its life, as Finish
  // does.
  if (header_->state.load(std::memory_order_relaxed) == kDead) (void)Finish();
  mutex_.Unlock();
  return os::Nothing{};
}

// A doomed object whose owner died without a word, or that its unlinker left to an owner who was
// killed since, is finished by whoever comes across it and can have its lock: who opens the name,
// and who lets go of the object. Says whether it is dead.
bool SharedObject::FinishDoomed() {
  if (header_->state.load(std::memory_order_acquire) != kDoomed || !MayTry()) return false;
  const Acquired acquired = TryLock();
  if (acquired == Acquired::kYes || acquired == Acquired::kAbandoned) PutBack(acquired);
  return header_->state.load(std::memory_order_relaxed) == kDead;
}

os::Status SharedObject::Unlink(bool held_by_this_thread) {
  uint32_t state = kLive;
  header_->state.compare_exchange_strong(state, kDoomed);
  if (state == kDead) return os::Failure{ENOENT, "unlink"};
  // Not before the owner is done: the name must not lead to a free lock until then.
  if (held_by_this_thread) return os::Nothing{};

  const os::Grant grant = mutex_.LockUntil(os::Deadline::After(kUnlinkGraceMs));
  if (grant == os::Grant::kTimeout) return os::Nothing{};
  if (grant == os::Grant::kBroken) {
    // Its owner may have finished on the way out, and with it what the mutex keeps outside.
    if (header_->state.load(std::memory_order_relaxed) == kDead) return os::Nothing{};
    // A lock that nobody can ever acquire guards nothing: only its name is left to go.
    return os::Unlink(name_, &identity_);
  }
  const bool dead = header_->state.load(std::memory_order_relaxed) == kDead;
  const os::Status finished = dead ? os::Status(os::Nothing{}) : Finish();
  mutex_.Unlock();
  return finished;
}

// Under the lock, so that of two removers the second sees what the first has done (L3).
os::Status SharedObject::RemoveName(bool held_by_this_thread) {
  if (held_by_this_thread) return os::Unlink(name_, &identity_);
  const Acquired acquired = LockUntil(os::Deadline::After(kRemoversGraceMs));
  const os::Status unlinked = os::Unlink(name_, &identity_);
  if (acquired == Acquired::kYes || acquired == Acquired::kAbandoned) PutBack(acquired);
  return unlinked;
}

// Not doomed before RemoveName has had the lock, which would remove the name on the way then. From
// here on an acquisition finds the object doomed or dead, and looks why.
os::Status SharedObject::End(bool is_lock, bool held_by_this_thread) {
  header_->ended.store(1, std::memory_order_relaxed);
  if (is_lock) return Unlink(held_by_this_thread);
  const os::Status removed = RemoveName(held_by_this_thread);
  uint32_t state = kLive;
  header_->state.compare_exchange_strong(state, kDoomed);
  return removed;
}

}  // namespace shmkit
