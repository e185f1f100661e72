// The contract of core/manager_end.h.
#include "../core/manager_end.h"

#include <set>
#include <thread>

#include "objects.h"
#include "support.h"

namespace shmkit::test {

namespace {

constexpr size_t kEndAt = kHeaderBytes;
constexpr size_t kUsedAt = kHeaderBytes + 16;
constexpr size_t kRosterAt = kHeaderBytes + 64;
constexpr size_t kEntryBytes = 16;
constexpr size_t kWordsBytes = 256;
constexpr uint64_t kHalf = 1 << 26;

// Whether the system tells what there is; see E2.
const bool kLists = os::List().ok();

class Leavers : public Leaving {
 public:
  bool IsGone(uint64_t token) override { return gone.count(token) > 0; }
  bool Holds(SharedObject* object) override { return object == held; }
  void GiveUp(SharedObject* object) override {
    object->Unlock();
    held = nullptr;
  }

  std::set<uint64_t> gone;
  SharedObject* held = nullptr;
};

// A manager with an object of each sort.
class Scene {
 public:
  explicit Scene(bool of_peers = false)
      : manager(name, Disposition::kCreate, WithWords(kWordsBytes)),
        lock(open("lock", kOtherKind)),
        other(open("other", kKind)) {
    facts.name = name;
    facts.id = manager->id();
    facts.kind = kKind;
    facts.of_peers = of_peers;
    for (const std::string& each :
         {'0' + head("memory"), '1' + head("lock"), '2' + head("other")}) {
      facts.heads += each + '\0';
    }
    facts.end_at = kEndAt;
    facts.used_at = kUsedAt;
    facts.roster_at = kRosterAt;
    facts.entry_bytes = kEntryBytes;
    facts.token_half = kHalf;
    const auto made = os::Create(head("memory") + "1", {4096, kMode, false});
    REQUIRE(made.ok());
    os::Unmap(made.value());
  }
  ~Scene() {
    for (const char* each : {"memory", "lock", "other"}) (void)os::Unlink(head(each) + "1");
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  std::string head(const char* kind) const { return name.text() + '@' + kind + '@'; }
  SharedObject* open(const char* kind, uint16_t number) const {
    OpenFailure why{};
    return SharedObject::Open(head(kind) + "1", kMode, Disposition::kOpen, Bare(number), &why);
  }
  bool IsThere(const char* kind) const {
    const auto found = os::Attach(head(kind) + "1", os::Access::kReadOnly);
    if (found.ok()) os::Unmap(found.value());
    return found.ok();
  }
  std::atomic<uint32_t>& Word(size_t at) {
    return *reinterpret_cast<std::atomic<uint32_t>*>(manager->mapping()->bytes() + at);
  }
  ManagerEnd end() { return static_cast<ManagerEnd>(Word(kEndAt).load()); }
  // The entry of a thread on the roster.
  std::atomic<uint32_t>& Enter(uint32_t index, uint64_t token) {
    const size_t at = kRosterAt + index * kEntryBytes;
    Word(kUsedAt).store(std::max(Word(kUsedAt).load(), index + 1));
    Word(at + 4).store(static_cast<uint32_t>(token / kHalf + 1));
    Word(at).store(static_cast<uint32_t>(token % kHalf + 1));
    return Word(at);
  }
  void CheckIsGone() {
    CHECK(end() == (kLists ? ManagerEnd::kDone : ManagerEnd::kBegun));
    CHECK(name.Exists() == !kLists);
    for (const char* each : {"memory", "lock", "other"}) CHECK(IsThere(each) == !kLists);
  }
  void CheckLives() {
    CHECK(end() == ManagerEnd::kNot);
    CHECK(name.Exists());
    for (const char* each : {"memory", "lock", "other"}) CHECK(IsThere(each));
  }

  const Name name;
  Handle manager;
  Handle lock;
  Handle other;
  ManagerFacts facts{};
  Leavers leavers;
};

}  // namespace

TEST_SUITE_BEGIN("manager end");

TEST_CASE("E1, E2: what is there is marked, and its name goes") {
  Scene scene;
  const Name stranger;
  const Handle not_its(stranger, Disposition::kCreate);
  const Remains remains(scene.other);
  EndManager(scene.facts, scene.leavers);
  scene.CheckIsGone();
  CHECK(stranger.Exists());
  if (kLists) {
    CHECK(scene.lock->TryLock() == Acquired::kEnded);
    CHECK(scene.other->TryLock() == Acquired::kEnded);
  }
  EndManager(scene.facts, scene.leavers);
  scene.CheckIsGone();
}

TEST_CASE("E1: who waits for the end is woken") {
  Scene scene;
  os::WaitWord* const word = scene.manager->WordAt(kEndAt);
  std::thread waiter([word] {
    while (word->value.load() == 0) {
      ++word->waiters;
      (void)os::Wait(*word, 0, os::Deadline::Never());
      --word->waiters;
    }
  });
  EndManager(scene.facts, scene.leavers);
  waiter.join();
  scene.CheckIsGone();
}

TEST_CASE("E2: one whose lock is not to be had ends, and keeps its name") {
  Scene scene;
  std::atomic<int> step{0};
  std::thread user([&] {
    REQUIRE(scene.manager->TryLock() == Acquired::kYes);
    step = 1;
    while (step != 2) std::this_thread::yield();
    scene.manager->Unlock();
  });
  while (step != 1) std::this_thread::yield();
  EndManager(scene.facts, scene.leavers);
  CHECK(scene.end() == ManagerEnd::kBegun);
  CHECK(scene.name.Exists());
  if (kLists) CHECK(!scene.IsThere("memory"));
  step = 2;
  user.join();
  EndManager(scene.facts, scene.leavers);
  scene.CheckIsGone();
}

TEST_CASE("E2: the lock of a manager comes to the next with the news of its dead owner") {
  Scene scene;
  std::thread([&scene] { (void)scene.manager->TryLock(); }).join();
  EndManager(scene.facts, scene.leavers);
  scene.CheckIsGone();
  CHECK(scene.manager->TryLock() == Acquired::kAbandoned);
  scene.manager->Unlock();
}

TEST_CASE("what is held by those who leave is given up, and goes") {
  Scene scene;
  REQUIRE(scene.lock->TryLock() == Acquired::kYes);
  scene.leavers.held = scene.lock.get();
  EndManager(scene.facts, scene.leavers);
  scene.CheckIsGone();
  CHECK((scene.leavers.held == nullptr) == kLists);
  if (!kLists) scene.lock->Unlock();
}

TEST_CASE("SharedObject L2: a lock that somebody else holds keeps its name until it is released") {
  Scene scene;
  REQUIRE(scene.lock->TryLock() == Acquired::kYes);
  EndManager(scene.facts, scene.leavers);
  CHECK(scene.IsThere("lock"));
  CHECK(!scene.IsThere("other") == kLists);
  scene.lock->Unlock();
  scene.CheckIsGone();
}

TEST_CASE("E3: a manager of peers ends with the last, whoever has died before") {
  Scene scene(/*of_peers=*/true);
  const std::atomic<uint32_t>& first = scene.Enter(0, 5);
  const std::atomic<uint32_t>& second = scene.Enter(1, 3 * kHalf + 7);
  const std::atomic<uint32_t>& dead = scene.Enter(2, 9);
  scene.leavers.gone = {5, 9};
  EndManager(scene.facts, scene.leavers);
  scene.CheckLives();
  CHECK(first == 0);
  CHECK(dead == 0);
  CHECK(second != 0);
  scene.leavers.gone = {3 * kHalf + 7};
  EndManager(scene.facts, scene.leavers);
  scene.CheckIsGone();
}

TEST_CASE("E4: a roster of nonsense ends nothing but the manager") {
  Scene scene(/*of_peers=*/true);
  (void)scene.Enter(0, 5);
  scene.Word(kUsedAt).store(UINT32_MAX);
  for (size_t at = kRosterAt; at < kHeaderBytes + kWordsBytes; at += 4) {
    scene.Word(at).store(UINT32_MAX);
  }
  EndManager(scene.facts, scene.leavers);
  scene.CheckIsGone();
}

TEST_CASE("E4: places outside of the object are none") {
  Scene scene(/*of_peers=*/true);
  scene.facts.used_at = kHeaderBytes + kWordsBytes;
  scene.facts.end_at = kHeaderBytes + kWordsBytes - 4;
  EndManager(scene.facts, scene.leavers);
  scene.CheckLives();
}

TEST_CASE("another manager that has the name now stays as it is") {
  Scene scene;
  scene.facts.id[0] ^= 1;
  EndManager(scene.facts, scene.leavers);
  scene.CheckLives();
}

TEST_CASE("what has a name of the manager's and is no object goes, too") {
  Scene scene;
  const std::string name = scene.head("other") + "2";
  const auto made = os::Create(name, {4096, kMode, false});
  REQUIRE(made.ok());
  os::Unmap(made.value());
  EndManager(scene.facts, scene.leavers);
  const auto left = os::Attach(name, os::Access::kReadOnly);
  CHECK(left.ok() == !kLists);
  if (left.ok()) {
    os::Unmap(left.value());
    (void)os::Unlink(name);
  }
}

TEST_SUITE_END();

}  // namespace shmkit::test
