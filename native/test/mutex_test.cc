// The contract of os/mutex.h.
#include <random>
#include <thread>

#include "../os/abi.h"
#include "support.h"

namespace shmkit::test {

namespace {

using os::Grant;

os::ObjectId RandomId() {
  std::random_device source;
  os::ObjectId id;
  for (uint8_t& byte : id) byte = static_cast<uint8_t>(source());
  return id;
}

// A mutex in memory that forked processes share, with what its mechanism keeps elsewhere.
class SharedMutex {
 public:
  SharedMutex() {
    REQUIRE(os::Mutex::Initialize(storage_->bytes, id_, 0600).ok());
    os::Result<os::Mutex> opened = os::Mutex::Open(storage_->bytes, id_);
    REQUIRE(opened.ok());
    mutex_.emplace(opened.value());
  }
  ~SharedMutex() {
    mutex_->Close();
    os::Mutex::Dispose(id_);
  }

  os::Mutex* operator->() { return &*mutex_; }
  uint8_t* bytes() { return storage_->bytes; }

 private:
  struct Storage {
    alignas(8) uint8_t bytes[os::kMutexBytes];
  };

  const os::ObjectId id_ = RandomId();
  Shared<Storage> storage_;
  std::optional<os::Mutex> mutex_;
};

// Adds one in two steps, so that two owners at a time lose an addition.
void AddSlowly(std::atomic<uint32_t>& counter) {
  const uint32_t seen = counter.load(std::memory_order_relaxed);
  sched_yield();
  counter.store(seen + 1, std::memory_order_relaxed);
}

bool CountUnder(SharedMutex& mutex, std::atomic<uint32_t>& counter, uint32_t times) {
  for (uint32_t each = 0; each < times; ++each) {
    // Every way in, in turn.
    Grant grant;
    if (each % 3 == 0) {
      grant = mutex->Lock();
    } else if (each % 3 == 1) {
      grant = mutex->LockUntil(os::Deadline::After(60000));
    } else {
      do grant = mutex->TryLock();
      while (grant == Grant::kTimeout && sched_yield() == 0);
    }
    SHMKIT_EXPECT(grant == Grant::kAcquired);
    AddSlowly(counter);
    mutex->Unlock();
  }
  return true;
}

// A process that locks, says so, and holds until it is killed.
Child Holder(SharedMutex& mutex, const Signal& held, Grant expected = Grant::kAcquired) {
  return Child([&mutex, &held, expected] {
    SHMKIT_EXPECT(mutex->Lock() == expected);
    held.Raise();
    PauseForEver();
    return true;
  });
}

// Acquires the mutex, and returns its lock word. Null, and not acquired, if the mechanism has none.
std::atomic<uint32_t>* Acquire(SharedMutex& mutex) {
  REQUIRE(mutex->Lock() == Grant::kAcquired);
  std::atomic<uint32_t>* const lock_word = LockWordOf(mutex.bytes(), ThreadId());
  if (lock_word == nullptr) {
    MESSAGE("skipped: this mechanism does not keep in the storage who waits");
    mutex->Unlock();
  }
  return lock_word;
}

void CheckOrdinary(SharedMutex& mutex) {
  CHECK(mutex->TryLock() == Grant::kAcquired);
  mutex->Unlock();
  CHECK(mutex->Lock() == Grant::kAcquired);
  mutex->Unlock();
}

}  // namespace

TEST_SUITE_BEGIN("mutex");

TEST_CASE("M1: threads exclude each other") {
  SharedMutex mutex;
  std::atomic<uint32_t> counter{0};
  std::atomic<uint32_t> well{0};
  std::vector<std::thread> threads;
  for (int each = 0; each < 4; ++each) {
    threads.emplace_back([&] { well += CountUnder(mutex, counter, 1500); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(well == 4);
  CHECK(counter == 6000);
}

TEST_CASE("M1: processes exclude each other") {
  SharedMutex mutex;
  const Shared<std::atomic<uint32_t>> counter;
  std::vector<Child> children;
  for (int each = 0; each < 4; ++each) {
    children.emplace_back([&] { return CountUnder(mutex, *counter, 1500); });
  }
  for (Child& child : children) CHECK(child.Succeeds());
  CHECK(*counter == 6000);
}

TEST_CASE("M1: while another holds it, trying is a timeout") {
  SharedMutex mutex;
  const Signal held;
  const Signal enough;
  Child holder([&] {
    SHMKIT_EXPECT(mutex->Lock() == Grant::kAcquired);
    held.Raise();
    enough.Await();
    mutex->Unlock();
    return true;
  });
  held.Await();
  CHECK(mutex->TryLock() == Grant::kTimeout);
  CHECK(mutex->LockUntil(os::Deadline::After(0)) == Grant::kTimeout);
  enough.Raise();
  CHECK(holder.Succeeds());
  CheckOrdinary(mutex);
}

TEST_CASE("M1: while another thread holds it, trying is a timeout") {
  SharedMutex mutex;
  REQUIRE(mutex->Lock() == Grant::kAcquired);
  std::thread([&] {
    CHECK(mutex->TryLock() == Grant::kTimeout);
    CHECK(mutex->LockUntil(os::Deadline::After(5)) == Grant::kTimeout);
  }).join();
  mutex->Unlock();
  CheckOrdinary(mutex);
}

TEST_CASE("M1: a wait with a limit lasts at least that long") {
  constexpr double kShortMs = 60;
  SharedMutex mutex;
  const Signal held;
  Child holder = Holder(mutex, held);
  held.Await();
  const Stopwatch watch;
  CHECK(mutex->LockUntil(os::Deadline::After(kShortMs)) == Grant::kTimeout);
  CHECK(watch.milliseconds() >= kShortMs);
}

TEST_CASE("M1: a wait ends with the release, by whichever call it was begun") {
  SharedMutex mutex;
  const Signal held;
  const Signal waiting;
  const Signal enough;
  Child holder([&] {
    SHMKIT_EXPECT(mutex->Lock() == Grant::kAcquired);
    held.Raise();
    enough.Await();
    mutex->Unlock();
    return true;
  });
  held.Await();
  std::vector<Child> waiters;
  for (uint32_t each = 0; each < 6; ++each) {
    waiters.emplace_back([&, each] {
      waiting.Raise();
      const Grant grant = each % 3 == 0   ? mutex->Lock()
                          : each % 3 == 1 ? mutex->LockUntil(os::Deadline::Never())
                                          : mutex->LockUntil(os::Deadline::After(90000));
      SHMKIT_EXPECT(grant == Grant::kAcquired);
      mutex->Unlock();
      return true;
    });
  }
  waiting.Await(6);
  for (const Child& waiter : waiters) waiter.AwaitAsleep();
  enough.Raise();
  CHECK(holder.Succeeds());
  for (Child& waiter : waiters) CHECK(waiter.Succeeds());
}

TEST_CASE("M2: after an owner is killed the next is told, and those after it are not") {
  SharedMutex mutex;
  const Signal held;
  for (uint32_t round = 1; round <= 50; ++round) {
    Child owner = Holder(mutex, held);
    held.Await(round);
    owner.Kill();
    const Grant grant = round % 3 == 0   ? mutex->Lock()
                        : round % 3 == 1 ? mutex->TryLock()
                                         : mutex->LockUntil(os::Deadline::After(60000));
    CHECK(grant == Grant::kOwnerDied);
    mutex->Unlock();
    CheckOrdinary(mutex);
  }
}

TEST_CASE("M2: those asleep in a wait when the owner is killed get on, and one of them is told") {
  SharedMutex mutex;
  const Signal held;
  const Signal waiting;
  const Shared<std::atomic<uint32_t>> told;
  for (uint32_t round = 1; round <= 5; ++round) {
    Child owner = Holder(mutex, held);
    held.Await(round);
    std::vector<Child> waiters;
    for (uint32_t each = 0; each < 3; ++each) {
      waiters.emplace_back([&, each] {
        waiting.Raise();
        const Grant grant =
            each == 0 ? mutex->LockUntil(os::Deadline::After(90000)) : mutex->Lock();
        SHMKIT_EXPECT(grant == Grant::kAcquired || grant == Grant::kOwnerDied);
        if (grant == Grant::kOwnerDied) ++*told;
        mutex->Unlock();
        return true;
      });
    }
    waiting.Await(3 * round);
    for (const Child& waiter : waiters) waiter.AwaitAsleep();
    owner.Kill();
    for (Child& waiter : waiters) CHECK(waiter.Succeeds());
    CHECK(*told == round);
  }
}

TEST_CASE("M2: an owner that exits without unlocking counts as dead") {
  SharedMutex mutex;
  Child owner([&] { return mutex->Lock() == Grant::kAcquired; });
  REQUIRE(owner.Succeeds());
  CHECK(mutex->Lock() == Grant::kOwnerDied);
  mutex->Unlock();
  CheckOrdinary(mutex);
}

TEST_CASE("M2: an owner that was told of a death and dies itself is news again") {
  SharedMutex mutex;
  const Signal held;
  for (uint32_t round = 1; round <= 5; ++round) {
    Child owner = Holder(mutex, held, round == 1 ? Grant::kAcquired : Grant::kOwnerDied);
    held.Await(round);
    owner.Kill();
  }
  CHECK(mutex->Lock() == Grant::kOwnerDied);
  mutex->Unlock();
  CheckOrdinary(mutex);
}

TEST_CASE("M2: a thread that ends while it holds counts as dead, though its process lives") {
  SharedMutex mutex;
  for (int round = 0; round < 10; ++round) {
    std::thread([&] { CHECK(mutex->Lock() == Grant::kAcquired); }).join();
    CHECK(mutex->Lock() == Grant::kOwnerDied);
    mutex->Unlock();
    CheckOrdinary(mutex);
  }
}

TEST_CASE("M2: an owner's own child does not keep what the owner gives back") {
  SharedMutex mutex;
  REQUIRE(mutex->Lock() == Grant::kAcquired);
  Child bystander([] {
    PauseForEver();
    return true;
  });
  mutex->Unlock();
  Child next([&] {
    SHMKIT_EXPECT(mutex->TryLock() == Grant::kAcquired);
    mutex->Unlock();
    return true;
  });
  CHECK(next.Succeeds());
}

TEST_CASE("M2: a waiter that is killed is noticed by nobody") {
  SharedMutex mutex;
  const Signal waiting;
  const Signal held;
  const Signal enough;
  Child holder([&] {
    SHMKIT_EXPECT(mutex->Lock() == Grant::kAcquired);
    held.Raise();
    enough.Await();
    mutex->Unlock();
    return true;
  });
  held.Await();
  std::vector<Child> waiters;
  for (uint32_t each = 0; each < 6; ++each) {
    waiters.emplace_back([&] {
      waiting.Raise();
      SHMKIT_EXPECT(mutex->Lock() == Grant::kAcquired);
      mutex->Unlock();
      return true;
    });
  }
  waiting.Await(6);
  for (const Child& waiter : waiters) waiter.AwaitAsleep();
  // The first in any queue, one in the middle, and the last.
  for (const size_t victim : {0, 2, 5}) waiters[victim].Kill();
  enough.Raise();
  CHECK(holder.Succeeds());
  for (const size_t survivor : {1, 3, 4}) CHECK(waiters[survivor].Succeeds());
  CheckOrdinary(mutex);
}

TEST_CASE("M2: a mutex that does not say that others wait reaches those asleep all the same") {
  SharedMutex mutex;
  std::atomic<uint32_t>* const lock_word = Acquire(mutex);
  if (lock_word == nullptr) return;
  const Signal waiting;
  std::vector<Child> waiters;
  for (uint32_t each = 0; each < 2; ++each) {
    waiters.emplace_back([&mutex, &waiting, each] {
      waiting.Raise();
      SHMKIT_EXPECT((each == 0 ? mutex->Lock() : mutex->LockUntil(os::Deadline::After(1e6))) ==
                    Grant::kAcquired);
      mutex->Unlock();
      return true;
    });
  }
  waiting.Await(2);
  while ((lock_word->load() & kWaitersBit) == 0) Yield();
  for (const Child& waiter : waiters) waiter.AwaitAsleep();
  // A thread took the mutex as free after the release had woken a waiter, and that waiter was
  // killed before it could say again that there are others.
  lock_word->fetch_and(~kWaitersBit);
  mutex->Unlock();
  for (Child& waiter : waiters) CHECK(waiter.Succeeds());
}

TEST_CASE("M2: a peek says free, held, and free again when the owner died, keeping the news") {
  SharedMutex mutex;
  const Signal held;
  bool owner_died = false;
  CHECK(mutex->Peek(&owner_died) == os::Occupancy::kFree);
  CHECK_FALSE(owner_died);

  Child owner = Holder(mutex, held);
  held.Await();
  CHECK(mutex->Peek(&owner_died) == os::Occupancy::kHeld);
  CHECK_FALSE(owner_died);

  owner.Kill();
  CHECK(mutex->Peek(&owner_died) == os::Occupancy::kFree);
  CHECK(mutex->Peek(&owner_died) == os::Occupancy::kFree);
  const Grant next = mutex->Lock();
  CHECK((owner_died ? next == Grant::kAcquired : next == Grant::kOwnerDied));
  owner_died = false;
  std::thread([&] { CHECK(mutex->Peek(&owner_died) == os::Occupancy::kHeld); }).join();
  CHECK(mutex->Peek(&owner_died) == os::Occupancy::kHeld);
  mutex->Unlock();
  CHECK(mutex->Peek(&owner_died) == os::Occupancy::kFree);
  CHECK_FALSE(owner_died);
}

TEST_CASE("M8: who has had it since is told by the number of the release") {
  os::Turns turns(os::Turns::Sign::kExact);
  CHECK_FALSE(turns.due());
  turns.NoteWaiters(7);
  CHECK(turns.due());
  std::vector<uint32_t> asked;
  turns.GiveWay([&asked](uint32_t release) {
    asked.push_back(release);
    return true;
  });
  CHECK(asked == std::vector<uint32_t>{7});
  CHECK_FALSE(turns.due());
  // Nobody is left to give way to.
  turns.GiveWay([&asked](uint32_t release) {
    asked.push_back(release);
    return true;
  });
  CHECK(asked.size() == 1);
}

TEST_CASE("M8: a release that others wait for is counted in the last word of the storage") {
  SharedMutex mutex;
  std::atomic<uint32_t>* const lock_word = Acquire(mutex);
  if (lock_word == nullptr) return;
  const auto* const count = reinterpret_cast<const std::atomic<uint32_t>*>(
      mutex.bytes() + os::kMutexBytes - sizeof(uint32_t));
  mutex->Unlock();
  REQUIRE(mutex->Lock() == Grant::kAcquired);
  CHECK(count->load() == 0);
  Child waiter([&] {
    SHMKIT_EXPECT(mutex->Lock() == Grant::kAcquired);
    mutex->Unlock();
    return true;
  });
  while ((lock_word->load() & kWaitersBit) == 0) Yield();
  mutex->Unlock();
  CHECK(waiter.Succeeds());
  // A waiter that was woken says that there are others, as it cannot know.
  CHECK(count->load() >= 1);
}

TEST_CASE("M8: an owner that locks again at once leaves it to one who sleeps") {
  constexpr uint32_t kTurns = 10;
  // Each as long as it takes others many times over to wake.
  constexpr double kHoldMs = 2;
  // What an owner that only the scheduler interrupts has of it is some hundreds.
  constexpr uint32_t kMostRoundsATurn = 40;
  int way = 0;
  SUBCASE("by waiting") { way = 0; }
  SUBCASE("by trying") { way = 1; }
  SUBCASE("by waiting with a limit") { way = 2; }

  SharedMutex mutex;
  const Shared<std::atomic<uint32_t>> turns;
  const Signal ready;
  Child other([&] {
    ready.Raise();
    for (uint32_t turn = 0; turn < kTurns; ++turn) {
      SHMKIT_EXPECT(mutex->Lock() == Grant::kAcquired);
      turns->fetch_add(1);
      mutex->Unlock();
    }
    return true;
  });
  ready.Await();
  uint32_t rounds = 0;
  while (turns->load() < kTurns) {
    Grant grant = Grant::kTimeout;
    while (grant == Grant::kTimeout) {
      if (way == 0) {
        grant = mutex->Lock();
      } else if (way == 1) {
        grant = mutex->TryLock();
      } else {
        grant = mutex->LockUntil(os::Deadline::After(1000));
      }
    }
    REQUIRE(grant == Grant::kAcquired);
    const Stopwatch watch;
    while (watch.milliseconds() < kHoldMs) {
    }
    mutex->Unlock();
    ++rounds;
  }
  CHECK(other.Succeeds());
  CHECK(rounds <= kTurns * kMostRoundsATurn);
}

TEST_CASE("M8: traces of waiters that were killed or gave up cost an owner no more than time") {
  SharedMutex mutex;
  REQUIRE(mutex->Lock() == Grant::kAcquired);
  const Signal ready;
  Child killed([&] {
    ready.Raise();
    (void)mutex->Lock();
    return true;
  });
  ready.Await();
  killed.AwaitAsleep();
  killed.Kill();
  Child gave_up([&] { return mutex->LockUntil(os::Deadline::After(5)) == Grant::kTimeout; });
  CHECK(gave_up.Succeeds());
  for (int round = 0; round < 100; ++round) {
    mutex->Unlock();
    // Nobody has it, so it is to be had at once.
    REQUIRE(mutex->TryLock() == Grant::kAcquired);
  }
  mutex->Unlock();
}

TEST_CASE("M7: overwritten storage is broken, and left as it is") {
  SharedMutex mutex;
  uint8_t sound[os::kMutexBytes];
  memcpy(sound, mutex.bytes(), sizeof sound);
  uint8_t bytes[os::kMutexBytes] = {};
  SUBCASE("with zeroes") {}
  SUBCASE("with ones") { memset(bytes, 0xff, sizeof bytes); }
  SUBCASE("with one bit turned in its constant word") {
    memcpy(bytes, sound, sizeof bytes);
    size_t at = 0;
    while (bytes[at] == 0) ++at;
    bytes[at] ^= 0x40;
  }
  memcpy(mutex.bytes(), bytes, sizeof bytes);
  CHECK(mutex->Lock() == Grant::kBroken);
  CHECK(mutex->TryLock() == Grant::kBroken);
  CHECK(mutex->LockUntil(os::Deadline::After(1)) == Grant::kBroken);
  CHECK(mutex->LockUntil(os::Deadline::Never()) == Grant::kBroken);
  CHECK(memcmp(mutex.bytes(), bytes, sizeof bytes) == 0);
  bool owner_died = false;
  (void)mutex->Peek(&owner_died);

  memcpy(mutex.bytes(), sound, sizeof sound);
  CheckOrdinary(mutex);
}

TEST_CASE("M7: storage that is overwritten under those asleep is broken for them") {
  SharedMutex mutex;
  const Signal held;
  // The C library keeps a list of what a thread holds, in the storage itself.
  Child owner = Holder(mutex, held);
  held.Await();
  std::atomic<uint32_t>* const lock_word = LockWordOf(mutex.bytes(), owner.pid());
  if (lock_word == nullptr) {
    MESSAGE("skipped: this mechanism sleeps elsewhere");
    return;
  }
  Child waiter([&] { return mutex->Lock() == Grant::kBroken; });
  while ((lock_word->load() & kWaitersBit) == 0) Yield();
  memset(mutex.bytes(), 0, os::kMutexBytes);
  CHECK(waiter.Succeeds());
}

TEST_CASE("M7: storage of random bytes neither crashes nor hangs those who try it") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    SharedMutex mutex;
    for (size_t at = 0; at < os::kMutexBytes; ++at) {
      mutex.bytes()[at] = static_cast<uint8_t>(random());
    }
    CHECK(mutex->LockUntil(os::Deadline::After(1)) == Grant::kBroken);
    bool owner_died = false;
    (void)mutex->Peek(&owner_died);
  }
}

TEST_CASE("the ABI word tells mechanism, machine and size") {
  const uint32_t word = os::Mutex::AbiWord();
  CHECK((word & 0xff) != 0);
  CHECK((word >> 16 & 0xff) == static_cast<uint32_t>(os::ThisMachine()));
  CHECK((word >> 24) <= os::kMutexBytes);
  CHECK((word >> 24) != 0);
}

TEST_CASE("the errors that callers compare have names") {
  CHECK(std::string(os::ErrorName(EEXIST)) == "EEXIST");
  CHECK(std::string(os::ErrorName(-1)) == "EUNKNOWN");
}

TEST_SUITE_END();

}  // namespace shmkit::test
