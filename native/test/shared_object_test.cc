// The contract of core/lock_object.h.
#include "../core/lock_object.h"

#include <algorithm>
#include <random>
#include <thread>

#include "support.h"

namespace shmkit::test {

namespace {

constexpr unsigned kMode = 0600;
constexpr uint32_t kUntold = 0xfeedface;

LockObject* Open(const Name& name, Disposition disposition, OpenFailure* why = nullptr) {
  OpenFailure ignored{};
  return LockObject::Open(name, kMode, disposition, why ? why : &ignored);
}

// A reference to a lock, dropped at the end of a scope.
class Lock {
 public:
  explicit Lock(LockObject* object) : object_(object) { REQUIRE(object_ != nullptr); }
  Lock(const Name& name, Disposition disposition) : Lock(Open(name, disposition)) {}
  ~Lock() { Drop(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void Drop() {
    if (object_) object_->DropReference();
    object_ = nullptr;
  }
  LockObject* get() const { return object_; }
  LockObject* operator->() const { return object_; }

 private:
  LockObject* object_;
};

// The header of the object that a name leads to, through a mapping of the test's own.
class Bytes {
 public:
  explicit Bytes(const Name& name) : mapping_(os::Attach(name, os::Access::kReadWrite)) {}
  Header* operator->() const { return &mapping_.As<Header>(); }

 private:
  const Mapping mapping_;
};

// How opening fails: an errno, or a refusal with what was found.
struct Verdict {
  int error;
  std::optional<Refusal> refusal;
  uint32_t found;

  bool operator==(const Verdict& other) const {
    return error == other.error && refusal == other.refusal && found == other.found;
  }
};

Verdict Refused(Refusal refusal, uint32_t found) { return {0, refusal, found}; }
Verdict Failed(int error) { return {error, std::nullopt, 0}; }

Verdict FailureToOpen(const Name& name, Disposition disposition) {
  OpenFailure why{{0, ""}, std::nullopt, kUntold};
  LockObject* object = Open(name, disposition, &why);
  if (object) {
    object->DropReference();
    return {-1, std::nullopt, 0};
  }
  return {why.failure.error, why.refusal, why.found};
}

size_t MappingsOf(const Name& name) {
  struct stat status;
  REQUIRE(lstat(name.path().c_str(), &status) == 0);
  FILE* maps = fopen("/proc/self/maps", "re");
  REQUIRE(maps != nullptr);
  size_t count = 0;
  char line[1024];
  while (fgets(line, sizeof line, maps)) {
    // By number: a file that was linked into place is listed under no name.
    unsigned long inode = 0;
    const bool read = sscanf(line, "%*s %*s %*s %*s %lu", &inode) == 1;
    if (read && inode == status.st_ino && strstr(line, kSegmentDirectory)) ++count;
  }
  fclose(maps);
  return count;
}

size_t LockFileCount() {
  const auto entries = EntriesOf(kLockFileDirectory);
  return static_cast<size_t>(std::count_if(entries.begin(), entries.end(), [](const auto& entry) {
    return entry.compare(0, strlen(kLockFilePrefix), kLockFilePrefix) == 0;
  }));
}

}  // namespace

TEST_SUITE_BEGIN("lock object");

TEST_CASE("L1: a process maps an object once and gives it back with the last reference") {
  const Name name;
  Lock one(name, Disposition::kCreate);
  Lock two(name, Disposition::kAttach);
  Lock three(name, Disposition::kOpen);
  CHECK(one.get() == two.get());
  CHECK(one.get() == three.get());
  CHECK(MappingsOf(name) == 1);
  one->AddReference();
  one.Drop();
  two.Drop();
  CHECK(MappingsOf(name) == 1);
  CHECK(three->TryLock() == Acquired::kYes);
  three->Unlock();
  three->DropReference();
  three.Drop();
  CHECK(MappingsOf(name) == 0);

  // By identity, not by name: the next object of the name is another one.
  const Lock again(name, Disposition::kAttach);
  CHECK(MappingsOf(name) == 1);
}

TEST_CASE("L1: two objects that had one name, one after the other, are two") {
  const Name name;
  const Lock first(name, Disposition::kCreate);
  REQUIRE(first->Unlink(false).ok());
  const Lock second(name, Disposition::kCreate);
  CHECK(first.get() != second.get());
  CHECK(second->LockUntil(os::Deadline::Never()) == Acquired::kYes);
  CHECK(first->LockUntil(os::Deadline::Never()) == Acquired::kGone);
  second->Unlock();
}

TEST_CASE("L1: threads that open and drop one name at a time get objects that work") {
  const Name name;
  std::vector<std::thread> threads;
  std::atomic<uint32_t> inside{0};
  std::atomic<uint32_t> failures{0};
  for (int each = 0; each < 4; ++each) {
    threads.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        LockObject* object = Open(name, Disposition::kOpen);
        if (!object || object->LockUntil(os::Deadline::Never()) != Acquired::kYes ||
            ++inside != 1) {
          ++failures;
          return;
        }
        --inside;
        object->Unlock();
        object->DropReference();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(MappingsOf(name) == 0);
}

TEST_CASE("creating is exclusive, attaching needs an object, opening does either") {
  const Name name;
  CHECK(FailureToOpen(name, Disposition::kAttach) == Failed(ENOENT));
  CHECK_FALSE(name.Exists());
  const Lock made(name, Disposition::kOpen);
  CHECK(FailureToOpen(name, Disposition::kCreate) == Failed(EEXIST));
  const Lock attached(name, Disposition::kAttach);
  const Lock opened(name, Disposition::kOpen);
  CHECK(opened.get() == made.get());
}

TEST_CASE("of sixteen processes that create one lock, one succeeds; all that open it share it") {
  constexpr uint32_t kRacers = 16;
  constexpr uint32_t kTurns = 20;
  const Name name;
  const Signal ready;
  const Signal start;
  const Shared<std::atomic<uint32_t>> winners;
  const Shared<std::atomic<uint32_t>> counter;
  std::vector<Child> racers;
  for (uint32_t each = 0; each < kRacers; ++each) {
    racers.emplace_back([&, each] {
      ready.Raise();
      start.Await();
      if (each % 2 == 0 && Open(name, Disposition::kCreate)) ++*winners;
      LockObject* object = Open(name, Disposition::kOpen);
      SHMKIT_EXPECT(object != nullptr);
      for (uint32_t turn = 0; turn < kTurns; ++turn) {
        SHMKIT_EXPECT(object->LockUntil(os::Deadline::Never()) == Acquired::kYes);
        const uint32_t seen = *counter;
        sched_yield();
        *counter = seen + 1;
        object->Unlock();
      }
      return true;
    });
  }
  ready.Await(kRacers);
  start.Raise();
  for (Child& racer : racers) CHECK(racer.Succeeds());
  CHECK(*winners <= 1);
  CHECK(*counter == kRacers * kTurns);
}

TEST_CASE("an object that is none is refused with what was found, and left as it is") {
  const Name name;
  Verdict expected{};
  SUBCASE("empty") {
    // Where creators publish whole objects, it is not one that is just being made.
    if (!os::kPublishesWhole) return;
    close(open(name.path().c_str(), O_CREAT | O_EXCL | O_RDWR, kMode));
    expected = Refused(Refusal::kTruncated, 0);
  }
  SUBCASE("too short") {
    const Mapping made(os::Create(name, {kLockBytes - 1, kMode, false}));
    const size_t found = os::kPublishesWhole ? kLockBytes - 1 : made.size();
    expected = Refused(Refusal::kTruncated, static_cast<uint32_t>(found));
  }
  SUBCASE("somebody else's bytes") {
    const Mapping made(os::Create(name, {kLockBytes, kMode, false}));
    memset(made.segment().address, 'x', kLockBytes);
    expected = Refused(Refusal::kForeign, 0x78787878);
  }
  SUBCASE("of another version") {
    Lock(name, Disposition::kCreate).Drop();
    Bytes(name)->version = 99;
    expected = Refused(Refusal::kVersion, 99);
  }
  SUBCASE("of another ABI") {
    Lock(name, Disposition::kCreate).Drop();
    const uint32_t other = os::Mutex::AbiWord() ^ 0x0300;
    Bytes(name)->abi = other;
    expected = Refused(Refusal::kAbi, other);
  }
  SUBCASE("of another kind") {
    Lock(name, Disposition::kCreate).Drop();
    Bytes(name)->kind = 77;
    expected = Refused(Refusal::kKind, 77);
  }
  CHECK(FailureToOpen(name, Disposition::kAttach) == expected);
  CHECK(FailureToOpen(name, Disposition::kOpen) == expected);
  CHECK(FailureToOpen(name, Disposition::kCreate) == Failed(EEXIST));
  CHECK(name.Exists());
}

TEST_CASE("an object that was never finished is refused where that cannot be, else cleared") {
  const Name name;
  SUBCASE("zeroes") { Mapping(os::Create(name, {kLockBytes, kMode, false})).Unmap(); }
  SUBCASE("a header without its state") {
    Lock(name, Disposition::kCreate).Drop();
    Bytes(name)->state = kMaking;
  }
  SUBCASE("a header without its last two words") {
    Lock(name, Disposition::kCreate).Drop();
    Bytes header(name);
    header->magic = 0;
    header->state = kMaking;
  }
  const Verdict verdict = FailureToOpen(name, Disposition::kAttach);
  if (os::kPublishesWhole) {
    CHECK(verdict == Refused(Refusal::kUnfinished, 0));
    CHECK(name.Exists());
  } else {
    CHECK(verdict == Failed(ENOENT));
    CHECK_FALSE(name.Exists());
    const Lock fresh(name, Disposition::kOpen);
    CHECK(fresh->TryLock() == Acquired::kYes);
    fresh->Unlock();
  }
}

TEST_CASE("an object in a state that does not exist is refused, and breaks who has it open") {
  const Name name;
  const Lock lock(name, Disposition::kCreate);
  Bytes(name)->state = 77;
  CHECK(FailureToOpen(name, Disposition::kAttach) == Refused(Refusal::kUnfinished, 77));
  CHECK(lock->LockUntil(os::Deadline::Never()) == Acquired::kBroken);
  CHECK(lock->TryLock() == Acquired::kBroken);
  CHECK_FALSE(lock->IsLocked());
}

TEST_CASE("an overwritten mutex is broken, and its name can still be taken away") {
  const Name name;
  const Lock lock(name, Disposition::kCreate);
  const Bytes header(name);
  memset(header->mutex, 0, sizeof header->mutex);
  CHECK(lock->LockUntil(os::Deadline::Never()) == Acquired::kBroken);
  CHECK(lock->TryLock() == Acquired::kBroken);
  CHECK(lock->LockUntil(os::Deadline::After(1)) == Acquired::kBroken);
  CHECK_FALSE(lock->IsLocked());
  CHECK(lock->Unlink(false).ok());
  CHECK_FALSE(name.Exists());
  const Lock fresh(name, Disposition::kOpen);
  CHECK(fresh->LockUntil(os::Deadline::Never()) == Acquired::kYes);
  fresh->Unlock();
  // What the mechanism keeps outside of the object that nothing leads to any more.
  os::ObjectId id;
  memcpy(id.data(), header->id, id.size());
  os::Mutex::Dispose(id);
}

TEST_CASE("an occupied lock is known as such by others, and by nobody when its owner died") {
  const Name name;
  const Lock lock(name, Disposition::kCreate);
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
  const Name name;
  const size_t lock_files = LockFileCount();
  const Lock lock(name, Disposition::kCreate);
  CHECK(lock->Unlink(false).ok());
  CHECK_FALSE(name.Exists());
  CHECK(LockFileCount() <= lock_files);
  CHECK(lock->LockUntil(os::Deadline::Never()) == Acquired::kGone);
  CHECK(lock->TryLock() == Acquired::kGone);
  CHECK(lock->LockUntil(os::Deadline::After(1)) == Acquired::kGone);
  const os::Status again = lock->Unlink(false);
  REQUIRE_FALSE(again.ok());
  CHECK(again.failure().error == ENOENT);
}

TEST_CASE("L2: unlinking what this thread holds takes effect when it is released") {
  const Name name;
  const Lock lock(name, Disposition::kCreate);
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
  const Lock lock(name, Disposition::kCreate);
  struct stat unlinked;
  REQUIRE(lstat(name.path().c_str(), &unlinked) == 0);
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
    return lstat(name.path().c_str(), &status) != 0 || status.st_ino != unlinked.st_ino;
  });
  held.Await();
  std::vector<Child> waiters;
  for (int each = 0; each < 2; ++each) {
    waiters.emplace_back([&, each] {
      waiting.Raise();
      const Acquired acquired = each == 0 ? lock->LockUntil(os::Deadline::Never())
                                          : lock->LockUntil(os::Deadline::After(90000));
      SHMKIT_EXPECT(acquired == Acquired::kGone);
      // It opens the name again and gets what is not that lock.
      LockObject* next = Open(name, Disposition::kOpen);
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
  const Lock same(name, Disposition::kOpen);
  CHECK(same.get() == lock.get());
  CHECK(same->TryLock() == Acquired::kTimeout);
  enough.Raise();
  CHECK(owner.Succeeds());
  for (Child& waiter : waiters) CHECK(waiter.Succeeds());
  CHECK(lock->LockUntil(os::Deadline::Never()) == Acquired::kGone);
}

TEST_CASE("L2: when the owner of a doomed lock dies, its next owner finishes it") {
  const Name name;
  const Lock lock(name, Disposition::kCreate);
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

TEST_CASE("L3: a dead object that its unlinker left under the name is helped away") {
  const Name name;
  // Its unlinker died at the worst moment.
  Lock(name, Disposition::kCreate).Drop();
  Bytes(name)->state = kDead;
  const size_t lock_files = LockFileCount();
  SUBCASE("by who attaches") {
    CHECK(FailureToOpen(name, Disposition::kAttach) == Failed(ENOENT));
    CHECK_FALSE(name.Exists());
    // With all that it had outside of the segment.
    CHECK((lock_files == 0 || LockFileCount() < lock_files));
  }
  SUBCASE("by who opens") {
    const Lock fresh(name, Disposition::kOpen);
    CHECK(fresh->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    fresh->Unlock();
    CHECK(LockFileCount() == lock_files);
  }
  SUBCASE("by who creates") {
    const Lock fresh(name, Disposition::kCreate);
    CHECK(fresh->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    fresh->Unlock();
    CHECK(LockFileCount() == lock_files);
  }
}

TEST_CASE("L3: a dead object's name is left to its unlinker for as long as that is at work") {
  // Whoever removed it meanwhile could hit a successor: the look at a name and its removal are two.
  const Name name;
  const Lock lock(name, Disposition::kCreate);
  struct stat object;
  REQUIRE(lstat(name.path().c_str(), &object) == 0);
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
    struct stat status;
    REQUIRE(lstat(name.path().c_str(), &status) == 0);
    CHECK(status.st_ino == object.st_ino);
  }
  unlinker.Kill();
  const Lock fresh(name, Disposition::kOpen);
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
  Lock(LockObject::Open(name, 0666, Disposition::kCreate, &why)).Drop();
  umask(before);
  Bytes(name)->state = kDead;
  Child stranger([&] {
    constexpr uid_t kNobody = 65534;
    SHMKIT_EXPECT(setgid(kNobody) == 0 && setuid(kNobody) == 0);
    for (const auto disposition : {Disposition::kOpen, Disposition::kAttach}) {
      OpenFailure failure{};
      const Lock lock(LockObject::Open(name, 0666, disposition, &failure));
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
  const Lock lock(name, Disposition::kCreate);
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
  const Lock lock(name, Disposition::kCreate);
  const Acquired acquired = lock->LockUntil(os::Deadline::Never());
  REQUIRE(lock->Unlink(true).ok());
  lock->PutBack(acquired);
  CHECK_FALSE(name.Exists());
}

TEST_CASE("L5: a pinned mapping stays after its last reference, and serves the next one") {
  const Name name;
  LockObject* object = Open(name, Disposition::kCreate);
  REQUIRE(object != nullptr);
  std::thread([&] {
    CHECK(object->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    object->Pin();
    object->DropReference();
  }).join();
  CHECK(MappingsOf(name) == 1);
  const Lock again(name, Disposition::kAttach);
  CHECK(again.get() == object);
  CHECK(again->LockUntil(os::Deadline::Never()) == Acquired::kAbandoned);
  again->Unlock();
}

TEST_CASE("L5: a process that ends while threads of it hold pinned locks passes them all on") {
  constexpr int kLocks = 20;
  Name names[kLocks];
  Child owner([&] {
    for (const Name& name : names) {
      LockObject* object = Open(name, Disposition::kCreate);
      SHMKIT_EXPECT(object != nullptr);
      SHMKIT_EXPECT(object->LockUntil(os::Deadline::Never()) == Acquired::kYes);
      object->Pin();
      object->DropReference();
    }
    return true;
  });
  REQUIRE(owner.Succeeds());
  for (const Name& name : names) {
    const Lock lock(name, Disposition::kAttach);
    CHECK(lock->TryLock() == Acquired::kAbandoned);
    lock->Unlock();
  }
}

// The claim that matters most: whatever processes open, lock, unlink and die, at whatever moment,
// a name never has two owners at a time.
TEST_CASE("L2: among sixteen processes that open, lock, unlink and are killed, one at most owns") {
  constexpr uint32_t kPlayers = 16;
  constexpr uint32_t kKills = 120;
  constexpr uint32_t kTurnsAKill = 12;
  constexpr uint32_t kNobody = 0;

  // In a mapping of its own, which no unlinking replaces.
  struct Canary {
    std::atomic<uint32_t> owner;  // the number of a player
    std::atomic<uint32_t> violations;
    std::atomic<uint32_t> unlinked;
    std::atomic<uint32_t> abandoned;
    std::atomic<bool> over;
    std::atomic<bool> doomed[kPlayers + kKills + 1];  // about to be killed, or killed
    std::atomic<bool> opening[kPlayers + kKills + 1];
  };
  const Shared<Canary> canary;
  const Shared<os::WaitWord> turns;
  const Name name;
  const size_t lock_files = LockFileCount();

  const auto own = [&](uint32_t self, bool abandoned) {
    const uint32_t before = canary->owner.exchange(self);
    if (before != kNobody && !canary->doomed[before]) ++canary->violations;
    // News without a death is no less wrong. (A death without news is right: it goes with the
    // object, when that was doomed.)
    if (abandoned) ++canary->abandoned;
    sched_yield();
    uint32_t expected = self;
    if (!canary->owner.compare_exchange_strong(expected, kNobody)) ++canary->violations;
    turns->value.fetch_add(1);
    os::Wake(*turns, 1);
  };

  const auto play = [&](uint32_t self) {
    std::minstd_rand random(self);
    while (!canary->over) {
      canary->opening[self] = true;
      LockObject* object = Open(name, Disposition::kOpen);
      canary->opening[self] = false;
      SHMKIT_EXPECT(object != nullptr);
      for (bool gone = false; !gone && !canary->over;) {
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
  };

  std::vector<Child> players;
  std::vector<uint32_t> numbers;
  uint32_t born = 0;
  const auto bear = [&] {
    const uint32_t self = ++born;
    players.emplace_back([&play, self] { return play(self); });
    numbers.push_back(self);
  };
  while (players.size() < kPlayers) bear();

  if (!os::kPublishesWhole) {
    MESSAGE("nobody is killed while opening: this mechanism shows what a creator leaves");
  }
  std::minstd_rand random(1);
  uint32_t goal = 0;
  for (uint32_t kills = 0; kills < kKills; ++kills) {
    goal += 1 + static_cast<uint32_t>(random()) % kTurnsAKill;
    for (uint32_t seen = turns->value; seen < goal; seen = turns->value) {
      (void)os::Wait(*turns, seen, os::Deadline::Never());
    }
    size_t victim = static_cast<size_t>(random()) % players.size();
    // Stopped first, so that its moment can be looked at.
    while (!os::kPublishesWhole) {
      kill(players[victim].pid(), SIGSTOP);
      int status = 0;
      REQUIRE(waitpid(players[victim].pid(), &status, WUNTRACED) > 0);
      REQUIRE(WIFSTOPPED(status));
      if (!canary->opening[numbers[victim]]) break;
      kill(players[victim].pid(), SIGCONT);
      victim = (victim + 1) % players.size();
    }
    canary->doomed[numbers[victim]] = true;
    players[victim].Kill();
    std::swap(players[victim], players.back());
    std::swap(numbers[victim], numbers.back());
    players.pop_back();
    numbers.pop_back();
    bear();
  }
  canary->over = true;
  for (Child& player : players) CHECK(player.Succeeds());
  CHECK(canary->violations == 0);
  CHECK(canary->unlinked > 0);
  MESSAGE(turns->value.load(), " turns, ", canary->unlinked.load(), " unlinked, ",
          canary->abandoned.load(), " abandoned");

  // A lock file has to be there before its lock, and can go only after it: a kill in between
  // leaves it. That is this mechanism's to admit and nobody's to clear.
  name.Remove();
  if (TheStage().private_mounts && LockFileCount() > lock_files) {
    const size_t left = LockFileCount() - lock_files;
    MESSAGE(left, " lock files left by killed creators and unlinkers");
    for (const std::string& entry : EntriesOf(kLockFileDirectory)) {
      if (entry.compare(0, strlen(kLockFilePrefix), kLockFilePrefix) != 0) continue;
      unlink((std::string(kLockFileDirectory) + '/' + entry).c_str());
    }
  }
}

TEST_SUITE_END();

}  // namespace shmkit::test
