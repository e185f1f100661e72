// The contract of os/waiter.h.
#include <thread>

#include "support.h"

namespace shmkit::test {

namespace {

constexpr double kShortMs = 30;

// Waits until the word is `wanted`, as every caller of Wait has to.
void AwaitValue(os::WaitWord& word, uint32_t wanted) {
  for (uint32_t seen = word.value.load(); seen != wanted; seen = word.value.load()) {
    (void)os::Wait(word, seen, os::Deadline::Never());
  }
}

}  // namespace

TEST_SUITE_BEGIN("waiter");

TEST_CASE("W1: a word with another value than expected is not waited for") {
  const Shared<os::WaitWord> word;
  word->value.store(7);
  CHECK(os::Wait(*word, 6, os::Deadline::Never()) == os::Woken::kMaybe);
  CHECK(word->waiters.load() == 0);
}

TEST_CASE("W1: a wait that nobody ends lasts at least its time") {
  const Shared<os::WaitWord> word;
  const Stopwatch watch;
  const os::Deadline deadline = os::Deadline::After(kShortMs);
  // It may wake early for no reason at all, but never says kTimeout early.
  while (os::Wait(*word, 0, deadline) != os::Woken::kTimeout) {
  }
  CHECK(watch.milliseconds() >= kShortMs);
  CHECK(word->waiters.load() == 0);
}

TEST_CASE("W1: a deadline that has passed is a timeout") {
  const Shared<os::WaitWord> word;
  CHECK(os::Wait(*word, 0, os::Deadline::After(0)) == os::Woken::kTimeout);
  CHECK(os::Wait(*word, 0, os::Deadline::After(-5)) == os::Woken::kTimeout);
}

TEST_CASE("W1: a deadline beyond the clock is none, and a change still ends the wait") {
  const Shared<os::WaitWord> word;
  const Signal ready;
  CHECK(os::Deadline::After(1e300).never());
  Child waiter([&] {
    ready.Raise();
    while (word->value.load() == 0) (void)os::Wait(*word, 0, os::Deadline::After(1e300));
    return true;
  });
  ready.Await();
  waiter.AwaitAsleep();
  Change(*word, 1);
  CHECK(waiter.Succeeds());
}

TEST_CASE("W1: a signal handler may end a wait, which is no timeout") {
  const Shared<os::WaitWord> word;
  const Signal ready;
  Child waiter([&] {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, nullptr);
    ready.Raise();
    SHMKIT_EXPECT(os::Wait(*word, 0, os::Deadline::After(60000)) == os::Woken::kMaybe);
    return word->waiters.load() == 0;
  });
  ready.Await();
  waiter.AwaitAsleep();
  kill(waiter.pid(), SIGUSR1);
  CHECK(waiter.Succeeds());
}

TEST_CASE("W2: two processes that wake each other lose no wake") {
  constexpr uint32_t kRounds = 2000;
  const Shared<os::WaitWord> word;
  Child other([&] {
    for (uint32_t turn = 1; turn < 2 * kRounds; turn += 2) {
      AwaitValue(*word, turn);
      Change(*word, turn + 1);
    }
    return true;
  });
  for (uint32_t turn = 0; turn < 2 * kRounds; turn += 2) {
    AwaitValue(*word, turn);
    Change(*word, turn + 1);
  }
  AwaitValue(*word, 2 * kRounds);
  CHECK(other.Succeeds());
  CHECK(word->waiters.load() == 0);
}

TEST_CASE("W2: two threads that wake each other lose no wake") {
  constexpr uint32_t kRounds = 2000;
  const Shared<os::WaitWord> word;
  std::thread other([&] {
    for (uint32_t turn = 1; turn < 2 * kRounds; turn += 2) {
      AwaitValue(*word, turn);
      Change(*word, turn + 1);
    }
  });
  for (uint32_t turn = 0; turn < 2 * kRounds; turn += 2) {
    AwaitValue(*word, turn);
    Change(*word, turn + 1);
  }
  other.join();
  CHECK(word->value.load() == 2 * kRounds);
}

TEST_CASE("W2: one wake of all reaches every process that waits") {
  const Shared<os::WaitWord> word;
  std::vector<Child> waiters;
  constexpr uint32_t kWaiters = 8;
  for (uint32_t each = 0; each < kWaiters; ++each) {
    waiters.emplace_back([&] {
      AwaitValue(*word, 1);
      return true;
    });
  }
  AwaitWaiters(*word, kWaiters);
  Change(*word, 1);
  for (Child& waiter : waiters) CHECK(waiter.Succeeds());
  CHECK(word->waiters.load() == 0);
}

TEST_CASE("W2: waking one at a time reaches every waiter in the end") {
  const Shared<os::WaitWord> word;
  const Signal ready;
  const Signal woken;
  std::vector<Child> waiters;
  constexpr uint32_t kWaiters = 4;
  for (uint32_t each = 0; each < kWaiters; ++each) {
    waiters.emplace_back([&] {
      ready.Raise();
      (void)os::Wait(*word, 0, os::Deadline::Never());
      woken.Raise();
      return true;
    });
  }
  ready.Await(kWaiters);
  for (const Child& waiter : waiters) waiter.AwaitAsleep();
  for (uint32_t wakes = 1; wakes <= kWaiters; ++wakes) {
    os::Wake(*word, 1);
    woken.Await(wakes);
  }
  for (Child& waiter : waiters) CHECK(waiter.Succeeds());
}

TEST_CASE("W2: a wake without waiters is kept by nobody") {
  const Shared<os::WaitWord> word;
  os::Wake(*word, 1);
  os::Wake(*word, os::kWakeAll);
  const Stopwatch watch;
  const os::Deadline deadline = os::Deadline::After(kShortMs);
  while (os::Wait(*word, 0, deadline) != os::Woken::kTimeout) {
  }
  CHECK(watch.milliseconds() >= kShortMs);
}

TEST_CASE("W3: waiters that are killed keep no wake from those that live") {
  const Shared<os::WaitWord> word;
  const Signal ready;
  constexpr uint32_t kKilled = 5;
  for (uint32_t each = 1; each <= kKilled; ++each) {
    Child victim([&] {
      ready.Raise();
      (void)os::Wait(*word, 0, os::Deadline::Never());
      return true;
    });
    ready.Await(each);
    victim.AwaitAsleep();
    victim.Kill();
  }
  CHECK(word->waiters.load() == kKilled);

  Child survivor([&] {
    ready.Raise();
    AwaitValue(*word, 1);
    return true;
  });
  ready.Await(kKilled + 1);
  survivor.AwaitAsleep();
  word->value.store(1);
  os::Wake(*word, 1);
  CHECK(survivor.Succeeds());
  CHECK(word->waiters.load() == kKilled);
}

TEST_CASE("W4: a wake through one mapping reaches a waiter at another address") {
  const Name name;
  const MappedSegment one(os::Create(name, {4096, 0600, false}));
  const MappedSegment other(os::Attach(name, os::Access::kReadWrite));
  REQUIRE(one.segment().address != other.segment().address);
  std::thread waiter([&] { AwaitValue(other.As<os::WaitWord>(), 1); });
  AwaitWaiters(one.As<os::WaitWord>(), 1);
  Change(one.As<os::WaitWord>(), 1);
  waiter.join();
  CHECK(one.As<os::WaitWord>().waiters.load() == 0);
}

TEST_SUITE_END();

}  // namespace shmkit::test
