// The lock of a shared object, and how a name is removed under it: L2 to L5 of
// core/shared_object.h.
#include <thread>

#include "../core/shared_object.h"
#include "objects.h"
#include "support.h"

namespace shmkit::test {

TEST_SUITE_BEGIN("shared object's lock");

TEST_CASE("an object in a state that does not exist is refused, and breaks who has it open") {
  const Name name;
  const Handle lock(name, Disposition::kCreate);
  Bytes(name)->state = 77;
  CHECK(FailureToOpen(name, Disposition::kAttach) == Refused(Refusal::kUnfinished, 77));
  CHECK(lock->LockUntil(os::Deadline::Never()) == Acquired::kBroken);
  CHECK(lock->TryLock() == Acquired::kBroken);
  CHECK_FALSE(lock->IsLocked());
}

TEST_CASE("an overwritten mutex is broken, and its name can still be taken away") {
  const Name name;
  const Handle lock(name, Disposition::kCreate);
  const Bytes header(name);
  memset(header->mutex, 0, sizeof header->mutex);
  CHECK(lock->LockUntil(os::Deadline::Never()) == Acquired::kBroken);
  CHECK(lock->TryLock() == Acquired::kBroken);
  CHECK(lock->LockUntil(os::Deadline::After(1)) == Acquired::kBroken);
  CHECK_FALSE(lock->IsLocked());
  CHECK(lock->Unlink(false).ok());
  CHECK_FALSE(name.Exists());
  const Handle fresh(name, Disposition::kOpen);
  CHECK(fresh->LockUntil(os::Deadline::Never()) == Acquired::kYes);
  fresh->Unlock();
  // What the mechanism keeps outside of the object that nothing leads to any more.
  os::ObjectId id;
  memcpy(id.data(), header->id, id.size());
  os::Mutex::Dispose(id);
}

TEST_CASE("an occupied lock is known as such by others, and by nobody when its owner died") {
  const Name name;
  const Handle lock(name, Disposition::kCreate);
  CHECK_FALSE(lock->IsLocked());
  const Signal held;
  Child owner([&] {
    SHMKIT_EXPECT(lock->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    held.Raise();
    PauseForEver();
    return true;
  });
  held.Await();
  CHECK(lock->IsLocked());
  CHECK(lock->TryLock() == Acquired::kTimeout);
  owner.Kill();
  CHECK_FALSE(lock->IsLocked());
  CHECK(lock->LockUntil(os::Deadline::Never()) == Acquired::kAbandoned);
  lock->Unlock();
  CHECK(lock->LockUntil(os::Deadline::Never()) == Acquired::kYes);
  lock->Unlock();
}

TEST_CASE("L2: unlinking a free lock takes the name, makes the object dead, and is ENOENT again") {
  const LockFiles lock_files;
  const Name name;
  const Handle lock(name, Disposition::kCreate);
  CHECK(lock->Unlink(false).ok());
  CHECK_FALSE(name.Exists());
  CHECK(lock_files.count() == 0);
  CHECK(lock->LockUntil(os::Deadline::Never()) == Acquired::kGone);
  CHECK(lock->TryLock() == Acquired::kGone);
  CHECK(lock->LockUntil(os::Deadline::After(1)) == Acquired::kGone);
  const os::Status again = lock->Unlink(false);
  REQUIRE_FALSE(again.ok());
  CHECK(again.failure().error == ENOENT);
}

TEST_CASE("L2: unlinking what this thread holds takes effect when it is released") {
  const Name name;
  const Handle lock(name, Disposition::kCreate);
  REQUIRE(lock->LockUntil(os::Deadline::Never()) == Acquired::kYes);
  CHECK(lock->Unlink(true).ok());
  CHECK(name.Exists());
  CHECK(lock->IsLocked());
  lock->Unlock();
  CHECK_FALSE(name.Exists());
  CHECK(lock->LockUntil(os::Deadline::Never()) == Acquired::kGone);
}

TEST_CASE("L2: unlinking what another holds takes effect at its release, and waiters learn of it") {
  const Name name;
  const Handle lock(name, Disposition::kCreate);
  const uint64_t unlinked = InodeOf(name);
  const Signal held;
  const Signal waiting;
  const Signal enough;
  Child owner([&] {
    SHMKIT_EXPECT(lock->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    held.Raise();
    enough.Await();
    SHMKIT_EXPECT(name.Exists());
    lock->Unlock();
    // The name is gone, or leads to what a waiter made anew.
    struct stat status;
    return lstat(name.path().c_str(), &status) != 0 || status.st_ino != unlinked;
  });
  held.Await();
  std::vector<Child> waiters;
  waiters.reserve(2);
  for (int each = 0; each < 2; ++each) {
    waiters.emplace_back([&, each] {
      waiting.Raise();
      const Acquired acquired = each == 0 ? lock->LockUntil(os::Deadline::Never())
                                          : lock->LockUntil(os::Deadline::After(90000));
      SHMKIT_EXPECT(acquired == Acquired::kGone);
      // It opens the name again and gets what is not that lock.
      SharedObject* next = Open(name, Disposition::kOpen);
      SHMKIT_EXPECT(next != nullptr && next != lock.get());
      SHMKIT_EXPECT(next->LockUntil(os::Deadline::Never()) == Acquired::kYes);
      next->Unlock();
      return true;
    });
  }
  waiting.Await(2);
  for (const Child& waiter : waiters) waiter.AwaitAsleep();

  CHECK(lock->Unlink(false).ok());
  // Until the release, whoever comes gets the lock that is held.
  CHECK(name.Exists());
  const Handle same(name, Disposition::kOpen);
  CHECK(same.get() == lock.get());
  CHECK(same->TryLock() == Acquired::kTimeout);
  enough.Raise();
  CHECK(owner.Succeeds());
  for (Child& waiter : waiters) CHECK(waiter.Succeeds());
  CHECK(lock->LockUntil(os::Deadline::Never()) == Acquired::kGone);
}

TEST_CASE("L2: when the owner of a doomed lock dies, its next owner finishes it") {
  const Name name;
  const Handle lock(name, Disposition::kCreate);
  const Signal held;
  Child owner([&] {
    SHMKIT_EXPECT(lock->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    held.Raise();
    PauseForEver();
    return true;
  });
  held.Await();
  CHECK(lock->Unlink(false).ok());
  owner.Kill();
  CHECK(name.Exists());
  CHECK(lock->LockUntil(os::Deadline::Never()) == Acquired::kGone);
  CHECK_FALSE(name.Exists());
}

TEST_CASE("L2: a doomed lock whose owner died goes with whoever comes across it") {
  const Name name;
  Handle lock(name, Disposition::kCreate);
  const uint64_t inode = InodeOf(name);
  const Signal held;
  Child owner([&] {
    SHMKIT_EXPECT(lock->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    held.Raise();
    PauseForEver();
    return true;
  });
  held.Await();
  CHECK(lock->Unlink(false).ok());
  // While its owner lives, nobody does so.
  CHECK(FailureToOpen(name, Disposition::kCreate) == Failed(EEXIST));
  Handle(name, Disposition::kAttach).Drop();
  CHECK(InodeOf(name) == inode);
  owner.Kill();
  CHECK(name.Exists());
  SUBCASE("by who lets go of it") {
    lock.Drop();
    CHECK_FALSE(name.Exists());
  }
  SUBCASE("by who attaches") {
    CHECK(FailureToOpen(name, Disposition::kAttach) == Failed(ENOENT));
    CHECK_FALSE(name.Exists());
  }
  SUBCASE("by who opens") {
    const Handle fresh(name, Disposition::kOpen);
    CHECK(fresh->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    fresh->Unlock();
  }
  SUBCASE("by who creates") {
    const Handle fresh(name, Disposition::kCreate);
    CHECK(fresh->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    fresh->Unlock();
  }
}

TEST_CASE("L3: a dead object that its unlinker left under the name is helped away") {
  const LockFiles lock_files;
  const Name name;
  // Its unlinker died at the worst moment.
  Handle(name, Disposition::kCreate).Drop();
  Bytes(name)->state = kDead;
  const size_t files_of_one = lock_files.count();
  SUBCASE("by who attaches") {
    CHECK(FailureToOpen(name, Disposition::kAttach) == Failed(ENOENT));
    CHECK_FALSE(name.Exists());
    // With all that it had outside of the segment.
    CHECK(lock_files.count() == 0);
  }
  SUBCASE("by who opens") {
    const Handle fresh(name, Disposition::kOpen);
    CHECK(fresh->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    fresh->Unlock();
    CHECK(lock_files.count() == files_of_one);
  }
  SUBCASE("by who creates") {
    const Handle fresh(name, Disposition::kCreate);
    CHECK(fresh->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    fresh->Unlock();
    CHECK(lock_files.count() == files_of_one);
  }
}

TEST_CASE("L3: a dead object's name is left to its unlinker for as long as that is at work") {
  // Whoever removed it meanwhile could hit a successor: the look at a name and its removal are two.
  const Name name;
  const Handle lock(name, Disposition::kCreate);
  const uint64_t inode = InodeOf(name);
  const Signal held;
  const Signal enough;
  Child unlinker([&] {
    SHMKIT_EXPECT(lock->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    Bytes(name)->state = kDead;
    held.Raise();
    enough.Await();
    PauseForEver();
    return true;
  });
  held.Await();
  for (const auto disposition : {Disposition::kOpen, Disposition::kAttach}) {
    CHECK(FailureToOpen(name, disposition) == Failed(EBUSY));
    CHECK(InodeOf(name) == inode);
  }
  unlinker.Kill();
  const Handle fresh(name, Disposition::kOpen);
  CHECK(fresh.get() != lock.get());
  CHECK(fresh->LockUntil(os::Deadline::Never()) == Acquired::kYes);
  fresh->Unlock();
}

TEST_CASE("L3: a dead object whose name this process may not remove comes back to life") {
  if (geteuid() != 0) {
    MESSAGE("skipped: becoming somebody else needs root");
    return;
  }
  const Name name;
  const mode_t before = umask(0);
  OpenFailure why{};
  Handle(SharedObject::Open(name, 0666, Disposition::kCreate, Bare(), &why)).Drop();
  umask(before);
  Bytes(name)->state = kDead;
  Child stranger([&] {
    SHMKIT_EXPECT(BecomeNobody());
    for (const auto disposition : {Disposition::kOpen, Disposition::kAttach}) {
      OpenFailure failure{};
      const Handle lock(SharedObject::Open(name, 0666, disposition, Bare(), &failure));
      SHMKIT_EXPECT(lock.get() != nullptr);
      SHMKIT_EXPECT(lock->LockUntil(os::Deadline::Never()) == Acquired::kYes);
      lock->Unlock();
      const os::Status unlinked = lock->Unlink(false);
      SHMKIT_EXPECT(!unlinked.ok());
      SHMKIT_EXPECT(unlinked.failure().error == EPERM || unlinked.failure().error == EACCES);
      SHMKIT_EXPECT(lock->LockUntil(os::Deadline::Never()) == Acquired::kYes);
      lock->Unlock();
    }
    return true;
  });
  CHECK(stranger.Succeeds());
  CHECK(name.Exists());
}

TEST_CASE("L4: news of a dead owner survives being put back, until somebody keeps the lock") {
  const Name name;
  const Handle lock(name, Disposition::kCreate);
  Child owner([&] { return lock->LockUntil(os::Deadline::Never()) == Acquired::kYes; });
  REQUIRE(owner.Succeeds());
  for (int each = 0; each < 3; ++each) {
    const Acquired acquired = lock->LockUntil(os::Deadline::Never());
    CHECK(acquired == Acquired::kAbandoned);
    lock->PutBack(acquired);
  }
  Child other([&] {
    SHMKIT_EXPECT(lock->LockUntil(os::Deadline::Never()) == Acquired::kAbandoned);
    lock->Unlock();
    return true;
  });
  CHECK(other.Succeeds());
  const Acquired last = lock->LockUntil(os::Deadline::Never());
  CHECK(last == Acquired::kYes);
  lock->PutBack(last);
  CHECK(lock->TryLock() == Acquired::kYes);
  lock->Unlock();
}

TEST_CASE("L4: putting a doomed lock back unlinks it") {
  const Name name;
  const Handle lock(name, Disposition::kCreate);
  const Acquired acquired = lock->LockUntil(os::Deadline::Never());
  REQUIRE(lock->Unlink(true).ok());
  lock->PutBack(acquired);
  CHECK_FALSE(name.Exists());
}

TEST_CASE("L5: a process that ends while it holds locks passes them all on") {
  constexpr int kLocks = 20;
  Name names[kLocks];
  Child owner([&] {
    for (const Name& name : names) {
      SharedObject* object = Open(name, Disposition::kCreate);
      SHMKIT_EXPECT(object != nullptr);
      SHMKIT_EXPECT(object->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    }
    return true;
  });
  REQUIRE(owner.Succeeds());
  for (const Name& name : names) {
    const Handle lock(name, Disposition::kAttach);
    CHECK(lock->TryLock() == Acquired::kAbandoned);
    lock->Unlock();
  }
}

// The claim that matters most: whatever processes open, lock, unlink and die, at whatever moment,
// a name never has two owners at a time.
TEST_CASE("L2: among sixteen processes that open, lock, unlink and are killed, one at most owns") {
  constexpr uint32_t kNobody = 0;

  // In a mapping of its own, which no unlinking replaces.
  struct Canary {
    std::atomic<uint32_t> owner;  // the number of a player
    std::atomic<uint32_t> violations;
    std::atomic<uint32_t> unlinked;
    std::atomic<uint32_t> abandoned;
  };
  const Shared<Canary> canary;
  const LockFiles lock_files;
  const Name name;
  Troupe troupe;

  const auto own = [&](uint32_t self, bool abandoned) {
    const uint32_t before = canary->owner.exchange(self);
    if (before != kNobody && !troupe.IsDoomed(before)) ++canary->violations;
    // News without a death is no less wrong. (A death without news is right: it goes with the
    // object, when that was doomed.)
    if (abandoned) ++canary->abandoned;
    sched_yield();
    uint32_t expected = self;
    if (!canary->owner.compare_exchange_strong(expected, kNobody)) ++canary->violations;
    troupe.CountTurn();
  };

  CHECK(troupe.Play([&](uint32_t self) {
    std::minstd_rand random(self);
    while (!troupe.over()) {
      SharedObject* object = troupe.Open(self, name, Disposition::kOpen);
      SHMKIT_EXPECT(object != nullptr);
      for (bool gone = false; !gone && !troupe.over();) {
        const Acquired acquired = random() % 4   ? object->LockUntil(os::Deadline::Never())
                                  : random() % 2 ? object->TryLock()
                                                 : object->LockUntil(os::Deadline::After(20));
        SHMKIT_EXPECT(acquired != Acquired::kBroken);
        gone = acquired == Acquired::kGone;
        if (acquired == Acquired::kYes || acquired == Acquired::kAbandoned) {
          own(self, acquired == Acquired::kAbandoned);
          if (random() % 8 == 0 && object->Unlink(true).ok()) ++canary->unlinked;
          random() % 5 ? object->Unlock() : object->PutBack(Acquired::kYes);
        }
        if (random() % 16 == 0 && object->Unlink(false).ok()) ++canary->unlinked;
        if (random() % 16 == 0) break;
      }
      object->DropReference();
    }
    return true;
  }));
  CHECK(canary->violations == 0);
  CHECK(canary->unlinked > 0);
  MESSAGE(troupe.turns(), " turns, ", canary->unlinked.load(), " unlinked, ",
          canary->abandoned.load(), " abandoned");
}

TEST_SUITE_END();

}  // namespace shmkit::test
