// The contract of core/watch_thread.h.
#include "../core/watch_thread.h"

#include <random>
#include <thread>

#include "objects.h"
#include "support.h"

namespace shmkit::test {

namespace {

// Longer than a slice of the thread's sleep.
constexpr double kSlicesMs = 600;
constexpr double kShortMs = 40;

// A word of an object and a thread that watches it, as an environment has them. Quits at the end;
// what becomes of the thread is for the test to see.
class Client {
 public:
  explicit Client(const Name& name)
      : object_(Open(name, Disposition::kOpen, WithWords(kDataAlignment))) {
    REQUIRE(object_ != nullptr);
    word_ = object_->WordAt(kHeaderBytes);
    watch_ = std::make_shared<WatchThread>(object_, word_, [bell = bell_] { bell->Ring(); });
  }
  ~Client() {
    Quit();
    Drop();
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Quit() {
    if (watch_) watch_->Quit();
    watch_ = nullptr;
  }
  // Its own reference to the object.
  void Drop() {
    if (object_) object_->DropReference();
    object_ = nullptr;
  }
  void Watch(uint32_t seen, const os::Deadline& until = os::Deadline::Never()) const {
    REQUIRE(watch_->Watch(seen, until));
  }
  void Cancel() const { watch_->Cancel(); }

  os::WaitWord& word() const { return *word_; }
  uint32_t value() const { return word_->value.load(); }
  Bell& bell() const { return *bell_; }
  WatchThread* thread() const { return watch_.get(); }

 private:
  SharedObject* object_;
  os::WaitWord* word_;
  std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
  std::shared_ptr<WatchThread> watch_;
};

// The word of the object that a name leads to, for the role of a child.
os::WaitWord* WordOf(const Name& name) {
  const SharedObject* object = Open(name, Disposition::kOpen, WithWords(kDataAlignment));
  return object ? object->WordAt(kHeaderBytes) : nullptr;
}

}  // namespace

TEST_SUITE_BEGIN("watch thread");

TEST_CASE("V1: a word that is not what was seen is told of, and once") {
  const Name name;
  const Client client(name);
  for (unsigned round = 1; round <= 200; ++round) {
    client.word().value.store(round);
    client.Watch(round - 1);
    client.bell().Answer();
    CHECK(client.bell().rings() == round);
  }
}

TEST_CASE("V1: a change by another process is told of, once for each watch") {
  constexpr uint32_t kRounds = 300;
  const Name name;
  const Signal asked;
  Child other([&] {
    os::WaitWord* word = WordOf(name);
    SHMKIT_EXPECT(word != nullptr);
    for (uint32_t round = 1; round <= kRounds; ++round) {
      asked.Await(round);
      Change(*word, round);
    }
    return true;
  });
  const Client client(name);
  for (uint32_t round = 1; round <= kRounds; ++round) {
    client.Watch(round - 1);
    // Every other time the thread is at the word before it changes.
    if (round % 2 == 0) AwaitWaiters(client.word(), 1);
    asked.Raise();
    client.bell().Answer();
    CHECK(client.value() == round);
    CHECK(client.bell().rings() == round);
  }
  CHECK(other.Succeeds());
}

TEST_CASE("V1: a client and a process that answer each other lose no change") {
  constexpr uint32_t kRounds = 300;
  const Name name;
  const Signal ready;
  Child other([&] {
    os::WaitWord* word = WordOf(name);
    SHMKIT_EXPECT(word != nullptr);
    ready.Raise();
    for (uint32_t turn = 1; turn < 2 * kRounds; turn += 2) {
      while (word->value.load() != turn) {
        (void)os::Wait(*word, turn - 1, os::Deadline::Never());
      }
      Change(*word, turn + 1);
    }
    return true;
  });
  ready.Await();
  const Client client(name);
  for (uint32_t turn = 0; turn < 2 * kRounds; turn += 2) {
    Change(client.word(), turn + 1);
    client.Watch(turn + 1);
    client.bell().Answer();
    CHECK(client.value() == turn + 2);
  }
  CHECK(client.bell().rings() == kRounds);
  CHECK(other.Succeeds());
}

TEST_CASE("V1: a watch whose time is over is told of, not before") {
  const Name name;
  const Client client(name);
  for (const double milliseconds : {kShortMs, kSlicesMs}) {
    const Stopwatch watch;
    client.Watch(0, os::Deadline::After(milliseconds));
    client.bell().Answer();
    CHECK(watch.milliseconds() >= milliseconds);
  }
  CHECK(client.bell().rings() == 2);
  client.Watch(0, os::Deadline::After(0));
  client.bell().Answer();
  CHECK(client.bell().rings() == 3);
}

TEST_CASE("V1: a watch without end outlasts slices, and wakes for no reason") {
  const Name name;
  const Client client(name);
  const Stopwatch watch;
  client.Watch(0);
  // Somebody who wakes without having changed anything.
  while (watch.milliseconds() < kSlicesMs) {
    os::Wake(client.word(), os::kWakeAll);
    Yield();
  }
  CHECK(client.bell().rings() == 0);
  Change(client.word(), 1);
  client.bell().Answer();
  CHECK(client.bell().rings() == 1);
}

TEST_CASE("V1: nothing is told after the watch was cancelled") {
  const Name name;
  const Client client(name);
  SUBCASE("asleep") {
    client.Watch(0);
    AwaitWaiters(client.word(), 1);
    client.Cancel();
    Change(client.word(), 1);
  }
  SUBCASE("about to sleep") {
    client.Watch(0);
    client.Cancel();
    Change(client.word(), 1);
  }
  SUBCASE("before anything was watched") {
    client.Cancel();
    Change(client.word(), 1);
  }
  SUBCASE("twice") {
    client.Watch(0);
    client.Cancel();
    client.Cancel();
    Change(client.word(), 1);
  }
  // The thread does one thing after the other: what it tells of now is the first.
  client.Watch(1, os::Deadline::After(kShortMs));
  client.bell().Answer();
  CHECK(client.bell().rings() == 1);
}

TEST_CASE("V1: nothing is told between a cancellation and the next watch, however a word changes") {
  const Name name;
  const Client client(name);
  std::atomic<bool> over{false};
  std::thread changer([&] {
    for (uint32_t value = 1; !over; ++value) {
      Change(client.word(), value);
      sched_yield();
    }
  });
  std::minstd_rand random(1);
  unsigned wrong = 0;
  for (int round = 0; round < 2000; ++round) {
    client.Watch(client.value());
    for (auto naps = random() % 3; naps > 0; --naps) sched_yield();
    client.Cancel();
    const unsigned before = client.bell().rings();
    for (auto naps = random() % 4; naps > 0; --naps) sched_yield();
    if (client.bell().rings() != before) ++wrong;
  }
  over = true;
  changer.join();
  CHECK(wrong == 0);
}

TEST_CASE("V1: a watch replaces the one before: what was seen last is what counts") {
  const Name name;
  const Client client(name);
  client.Watch(0);
  AwaitWaiters(client.word(), 1);
  client.Cancel();
  client.word().value.store(1);
  // The thread may still be asleep over the value before.
  client.Watch(1);
  SUBCASE("and the word changes") {
    Change(client.word(), 2);
    client.bell().Answer();
    CHECK(client.value() == 2);
  }
  SUBCASE("and it does not change until the time is over") {
    const Stopwatch watch;
    client.Watch(1, os::Deadline::After(kSlicesMs));
    client.bell().Answer();
    CHECK(watch.milliseconds() >= kSlicesMs);
  }
  SUBCASE("and the word is what was seen first again") {
    Change(client.word(), 0);
    client.bell().Answer();
  }
  CHECK(client.bell().rings() == 1);
}

TEST_CASE("V1: a watch replaces the one before: its time is what counts") {
  const Name name;
  const Client client(name);
  SUBCASE("longer") {
    client.Watch(0, os::Deadline::After(kShortMs));
    const Stopwatch watch;
    client.Watch(0, os::Deadline::After(kSlicesMs));
    // The first one may have been over by then.
    client.bell().AwaitMoreThan(client.bell().rings());
    CHECK(watch.milliseconds() >= kSlicesMs);
  }
  SUBCASE("shorter") {
    client.Watch(0);
    AwaitWaiters(client.word(), 1);
    const Stopwatch watch;
    client.Watch(0, os::Deadline::After(kShortMs));
    client.bell().Answer();
    CHECK(watch.milliseconds() >= kShortMs);
    CHECK(client.bell().rings() == 1);
  }
}

TEST_CASE("V1: a word that changes all the time is told of to who watches on and off") {
  constexpr uint32_t kChanges = 2000;
  const Name name;
  const Signal ready;
  Child other([&] {
    os::WaitWord* word = WordOf(name);
    SHMKIT_EXPECT(word != nullptr);
    ready.Await();
    std::minstd_rand random(2);
    for (uint32_t change = 1; change <= kChanges; ++change) {
      if (random() % 4 == 0) sched_yield();
      Change(*word, change);
    }
    return true;
  });
  const Client client(name);
  ready.Raise();
  std::minstd_rand random(3);
  for (uint32_t seen = client.value(); seen < kChanges; seen = client.value()) {
    client.Watch(seen);
    if (random() % 4 == 0) {
      client.Cancel();
      client.Watch(seen);
    }
    client.bell().Answer();
  }
  CHECK(other.Succeeds());
}

TEST_CASE("V1: all who watch one word are told, in all processes") {
  constexpr uint32_t kProcesses = 3;
  const Name name;
  std::vector<Child> others;
  for (uint32_t each = 0; each < kProcesses; ++each) {
    others.emplace_back([&] {
      const Client client(name);
      client.Watch(0);
      client.bell().Answer();
      return client.bell().rings() == 1;
    });
  }
  const Client one(name);
  const Client two(name);
  one.Watch(0);
  two.Watch(0);
  AwaitWaiters(one.word(), kProcesses + 2);
  Change(one.word(), 1);
  one.bell().Answer();
  two.bell().Answer();
  for (Child& other : others) CHECK(other.Succeeds());
  CHECK(one.bell().rings() == 1);
  CHECK(two.bell().rings() == 1);
}

TEST_CASE("V1: a change whose maker was killed before it woke anybody is told of all the same") {
  const Name name;
  const Signal asleep;
  Child other([&] {
    os::WaitWord* word = WordOf(name);
    SHMKIT_EXPECT(word != nullptr);
    asleep.Await();
    word->value.store(1);
    kill(getpid(), SIGKILL);
    return false;
  });
  const Client client(name);
  client.Watch(0);
  AwaitWaiters(client.word(), 1);
  asleep.Raise();
  client.bell().Answer();
  CHECK(client.value() == 1);
  CHECK(other.DiesOf(SIGKILL));
}

TEST_CASE("V1: waiters that are killed keep no change from those that live") {
  const Name name;
  const Signal watching;
  Child victim([&] {
    const Client client(name);
    client.Watch(0);
    AwaitWaiters(client.word(), 1);
    watching.Raise();
    PauseForEver();
    return true;
  });
  watching.Await();
  victim.Kill();
  const Client client(name);
  client.Watch(0);
  AwaitWaiters(client.word(), 2);
  Change(client.word(), 1);
  client.bell().Answer();
  CHECK(client.value() == 1);
}

TEST_CASE("V1: a thread that had nothing to do goes, and the next watch brings another") {
  const Name name;
  const Client client(name);
  client.Watch(1);
  client.bell().Answer();
  AwaitThreadsGone();
  client.Watch(1);
  client.bell().Answer();
  CHECK(client.bell().rings() == 2);
  client.Watch(0);
  client.Cancel();
  AwaitThreadsGone();
  client.Watch(1);
  client.bell().Answer();
  CHECK(client.bell().rings() == 3);
}

TEST_CASE("V1: where the system gives no thread, a watch is refused and can be made again") {
  if (geteuid() != 0 || kThreadSanitizer) {
    MESSAGE("skipped: it takes root, and ThreadSanitizer cannot do without a thread of its own");
    return;
  }
  const Name name;
  Child process([&] {
    SHMKIT_EXPECT(BecomeNobody());
    const Client client(name);
    SHMKIT_EXPECT(AllowThreads(false));
    SHMKIT_EXPECT(!client.thread()->Watch(1, os::Deadline::Never()));
    SHMKIT_EXPECT(!client.thread()->Watch(1, os::Deadline::Never()));
    client.Cancel();
    SHMKIT_EXPECT(AllowThreads(true));
    SHMKIT_EXPECT(client.bell().rings() == 0);
    SHMKIT_EXPECT(client.thread()->Watch(1, os::Deadline::Never()));
    client.bell().Answer();
    SHMKIT_EXPECT(client.bell().rings() == 1);
    return true;
  });
  CHECK(process.Succeeds());
}

TEST_CASE("V2: a client that goes is not waited for, and its thread goes by itself") {
  const Name name;
  SUBCASE("never watched") { const Client client(name); }
  SUBCASE("asleep") {
    const Client client(name);
    client.Watch(0);
    AwaitWaiters(client.word(), 1);
  }
  SUBCASE("about to sleep") {
    const Client client(name);
    client.Watch(0);
  }
  SUBCASE("cancelled while asleep") {
    const Client client(name);
    client.Watch(0);
    AwaitWaiters(client.word(), 1);
    client.Cancel();
  }
  SUBCASE("with nothing to do") {
    const Client client(name);
    client.Watch(1);
    client.bell().Answer();
  }
  SUBCASE("its news not looked at") {
    const Client client(name);
    client.Watch(1);
  }
  AwaitThreadsGone();
  CHECK(MappingsOf(name) == 0);
}

TEST_CASE("V2: nothing is told to a client that went") {
  const Name name;
  Client client(name);
  client.Watch(0);
  AwaitWaiters(client.word(), 1);
  client.Quit();
  Change(client.word(), 1);
  AwaitThreadsGone();
  CHECK(client.bell().rings() == 0);
}

TEST_CASE("V2: a thread keeps the object it watches, for as long as it is wanted and asleep") {
  const Name name;
  const Signal dropped;
  Child other([&] {
    os::WaitWord* word = WordOf(name);
    SHMKIT_EXPECT(word != nullptr);
    dropped.Await();
    Change(*word, 1);
    return true;
  });
  Client client(name);
  client.Watch(0);
  AwaitWaiters(client.word(), 1);
  client.Drop();
  CHECK(MappingsOf(name) == 1);
  dropped.Raise();
  client.bell().Answer();
  CHECK(other.Succeeds());
  CHECK(MappingsOf(name) == 1);
  CHECK(client.value() == 1);
  client.Quit();
  AwaitThreadsGone();
  CHECK(MappingsOf(name) == 0);
}

TEST_CASE("V2: many that are asleep leave the object and the word when their clients go") {
  constexpr uint32_t kClients = 8;
  const Name name;
  std::optional<MappedSegment> own;
  {
    std::vector<std::unique_ptr<Client>> clients;
    for (uint32_t each = 0; each < kClients; ++each) {
      clients.push_back(std::make_unique<Client>(name));
      clients.back()->Watch(0);
    }
    AwaitWaiters(clients.front()->word(), kClients);
    own.emplace(os::Attach(name, os::Access::kReadWrite));
  }
  AwaitThreadsGone();
  CHECK(MappingsOf(name) == 1);
  const auto* word = reinterpret_cast<const os::WaitWord*>(&(*own)[kHeaderBytes]);
  CHECK(word->waiters == 0);
}

TEST_CASE("V2: clients that come, watch and go at random harm nobody") {
  const Name name;
  const Client stays(name);
  std::atomic<bool> over{false};
  std::thread changer([&] {
    while (!over) {
      Change(stays.word(), stays.value() + 1);
      sched_yield();
    }
  });
  std::minstd_rand random(4);
  for (int round = 0; round < 300; ++round) {
    const Client client(name);
    client.Watch(client.value());
    if (random() % 2) client.bell().Answer();
    if (random() % 2) client.Watch(client.value());
    if (random() % 4 == 0) client.Cancel();
  }
  over = true;
  changer.join();
  const uint32_t last = stays.value();
  stays.Watch(last);
  Change(stays.word(), last + 1);
  stays.bell().Answer();
  CHECK(stays.bell().rings() == 1);
}

TEST_CASE("V3: a wake of one that reaches a thread nobody wants any more is passed on") {
  const Name name;
  Client client(name);
  os::WaitWord& word = client.word();
  client.Watch(0);
  AwaitWaiters(word, 1);
  // Who came first is woken first; this one has no other way to hear of the change.
  std::thread other([&word] {
    while (word.value.load() == 0) (void)os::Wait(word, 0, os::Deadline::Never());
  });
  AwaitWaiters(word, 2);
  SUBCASE("cancelled") { client.Cancel(); }
  SUBCASE("told, but its client goes without having heard") {}
  word.value.store(1);
  os::Wake(word, 1);
  SUBCASE("its client goes") { client.Quit(); }
  client.Quit();
  other.join();
}

TEST_SUITE_END();

}  // namespace shmkit::test
