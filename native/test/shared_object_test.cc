// The contract of core/shared_object.h but for what has to do with its lock, which is the subject
// of shared_object_lock_test.cc.
#include "../core/shared_object.h"

#include <array>
#include <thread>

#include "objects.h"
#include "support.h"

namespace shmkit::test {

namespace {

// Contents of which every byte tells by whom they were made.
class Stamp {
 public:
  static constexpr size_t kWordsBytes = 2 * kDataAlignment;
  // So many that to write them takes as long as something else to happen.
  static constexpr size_t kDataBytes = (16 << 10) + 5;

  explicit Stamp(uint32_t number)
      : number_(number), bytes_(std::max(kWordsBytes, kDataBytes), ByteOf(number)) {}

  Contents contents() const {
    return {kKind,         number_,     LengthOf(number_), kWordsBytes, kDataBytes,
            bytes_.data(), kWordsBytes, bytes_.data(),     kDataBytes};
  }

  // Whether all that an object has is of whoever made it.
  static bool IsWholeIn(const SharedObject* object) {
    const Shape& shape = object->shape();
    const Stamp maker(shape.type);
    const unsigned char* bytes = object->mapping()->bytes();
    SHMKIT_EXPECT(shape.length == LengthOf(shape.type));
    SHMKIT_EXPECT(shape.data_at == kHeaderBytes + kWordsBytes);
    SHMKIT_EXPECT(shape.size == shape.data_at + kDataBytes);
    SHMKIT_EXPECT(memcmp(bytes + kHeaderBytes, maker.bytes_.data(), kWordsBytes) == 0);
    SHMKIT_EXPECT(memcmp(bytes + shape.data_at, maker.bytes_.data(), kDataBytes) == 0);
    return true;
  }

 private:
  // Never that of memory which nobody wrote to.
  static uint8_t ByteOf(uint32_t number) { return static_cast<uint8_t>(1 + number % 255); }
  static uint64_t LengthOf(uint32_t number) { return (uint64_t{number} << 32) + 3; }

  const uint32_t number_;
  const std::vector<uint8_t> bytes_;
};

bool IsZero(const uint8_t* bytes, size_t length) {
  return std::all_of(bytes, bytes + length, [](uint8_t byte) { return byte == 0; });
}

int ErrorOf(const os::Status& status) { return status.ok() ? 0 : status.failure().error; }

}  // namespace

TEST_SUITE_BEGIN("shared object");

TEST_CASE("L1: a process maps an object once and gives it back with the last reference") {
  const Name name;
  Handle one(name, Disposition::kCreate);
  Handle two(name, Disposition::kAttach);
  Handle three(name, Disposition::kOpen);
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
  const Handle again(name, Disposition::kAttach);
  CHECK(MappingsOf(name) == 1);
}

TEST_CASE("L1: two objects that had one name, one after the other, are two") {
  const Name name;
  const Handle first(name, Disposition::kCreate);
  REQUIRE(first->Unlink(false).ok());
  const Handle second(name, Disposition::kCreate);
  CHECK(first.get() != second.get());
  CHECK(second->LockUntil(os::Deadline::Never()) == Acquired::kYes);
  CHECK(first->LockUntil(os::Deadline::Never()) == Acquired::kGone);
  second->Unlock();
}

TEST_CASE("L1: threads that open and drop one name at a time get objects that work") {
  const Name name;
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  std::atomic<uint32_t> inside{0};
  std::atomic<uint32_t> failures{0};
  for (int each = 0; each < kThreads; ++each) {
    threads.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        SharedObject* object = Open(name, Disposition::kOpen);
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
  const Handle made(name, Disposition::kOpen);
  CHECK(FailureToOpen(name, Disposition::kCreate) == Failed(EEXIST));
  const Handle attached(name, Disposition::kAttach);
  const Handle opened(name, Disposition::kOpen);
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
      SharedObject* object = Open(name, Disposition::kOpen);
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
    const MappedSegment made(os::Create(name, {kHeaderBytes - 1, kMode, false}));
    const size_t found = os::kPublishesWhole ? kHeaderBytes - 1 : made.size();
    expected = Refused(Refusal::kTruncated, static_cast<uint32_t>(found));
  }
  SUBCASE("somebody else's bytes") {
    const MappedSegment made(os::Create(name, {kHeaderBytes, kMode, false}));
    memset(made.segment().address, 'x', kHeaderBytes);
    expected = Refused(Refusal::kForeign, 0x78787878);
  }
  SUBCASE("of another version") {
    Handle(name, Disposition::kCreate).Drop();
    Bytes(name)->version = 99;
    expected = Refused(Refusal::kVersion, 99);
  }
  SUBCASE("of another ABI") {
    Handle(name, Disposition::kCreate).Drop();
    const uint32_t other = os::Mutex::AbiWord() ^ 0x0300;
    Bytes(name)->abi = other;
    expected = Refused(Refusal::kAbi, other);
  }
  SUBCASE("of another kind") {
    Handle(name, Disposition::kCreate, Bare(kOtherKind)).Drop();
    expected = Refused(Refusal::kKind, kOtherKind);
  }
  SUBCASE("of a kind that nobody has heard of") {
    Handle(name, Disposition::kCreate).Drop();
    Bytes(name)->kind = UINT16_MAX;
    expected = Refused(Refusal::kKind, UINT16_MAX);
  }
  CHECK(FailureToOpen(name, Disposition::kAttach) == expected);
  CHECK(FailureToOpen(name, Disposition::kOpen) == expected);
  CHECK(FailureToOpen(name, Disposition::kCreate) == Failed(EEXIST));
  CHECK(name.Exists());
}

TEST_CASE("an object that was never finished is refused where that cannot be, else cleared") {
  const LockFiles lock_files;
  const Name name;
  SUBCASE("zeroes") { MappedSegment(os::Create(name, {kHeaderBytes, kMode, false})).Unmap(); }
  SUBCASE("a header without its state") {
    Handle(name, Disposition::kCreate).Drop();
    Bytes(name)->state = kMaking;
  }
  SUBCASE("a header without its last two words") {
    Handle(name, Disposition::kCreate).Drop();
    Bytes header(name);
    header->magic = 0;
    header->state = kMaking;
  }
  const Bytes unfinished(name);
  const Verdict verdict = FailureToOpen(name, Disposition::kAttach);
  if (os::kPublishesWhole) {
    CHECK(verdict == Refused(Refusal::kUnfinished, 0));
    CHECK(name.Exists());
    CHECK(unfinished->state == kMaking);
  } else {
    CHECK(verdict == Failed(ENOENT));
    // A creator that comes back now finds that it must begin again.
    CHECK(unfinished->state == kDead);
    CHECK_FALSE(name.Exists());
    const Handle fresh(name, Disposition::kOpen);
    CHECK(fresh->TryLock() == Acquired::kYes);
    fresh->Unlock();
  }
}

TEST_CASE("an object of another kind is refused while it is in use, and stays in use") {
  const Name name;
  const Handle object(name, Disposition::kCreate);
  const Verdict expected = Refused(Refusal::kKind, kKind);
  CHECK(FailureToOpen(name, Disposition::kAttach, Bare(kOtherKind)) == expected);
  CHECK(FailureToOpen(name, Disposition::kOpen, Bare(kOtherKind)) == expected);
  CHECK(FailureToOpen(name, Disposition::kCreate, Bare(kOtherKind)) == Failed(EEXIST));
  CHECK(MappingsOf(name) == 1);
  CHECK(object->TryLock() == Acquired::kYes);
  object->Unlock();
}

TEST_CASE("a header whose sizes make no sense is refused with how many bytes there are") {
  constexpr size_t kWordsBytes = kDataAlignment;
  constexpr size_t kDataBytes = 100;
  constexpr size_t kDataAt = kHeaderBytes + kWordsBytes;
  constexpr size_t kSize = kDataAt + kDataBytes;
  Contents contents = WithWords(kWordsBytes);
  contents.data_bytes = kDataBytes;
  const Name name;
  const Handle object(name, Disposition::kCreate, contents);
  const Bytes header(name);
  REQUIRE(header->size == kSize);
  REQUIRE(header->data_at == kDataAt);

  struct Sizes {
    uint64_t size;
    uint32_t data_at;
  };
  const Sizes senseless[] = {
      // Of the whole: more than there is, or not even what comes before the data.
      {header.size() + 1, kDataAt},
      {UINT64_MAX, kDataAt},
      {kDataAt - 1, kDataAt},
      {kHeaderBytes, kDataAt},
      {0, kDataAt},
      // The data: beyond the end, not aligned, in the header.
      {kSize, kSize + kDataAlignment - kSize % kDataAlignment},
      {kSize, UINT32_MAX - (kDataAlignment - 1)},
      {kSize, kDataAt + 1},
      {kSize, kDataAt + 8},
      {kSize, kHeaderBytes - kDataAlignment},
      {kSize, kHeaderBytes - 1},
      {kSize, 0},
      {0, 0},
  };
  const Verdict refused = Refused(Refusal::kTruncated, static_cast<uint32_t>(header.size()));
  for (const Sizes& sizes : senseless) {
    CAPTURE(sizes.size);
    CAPTURE(sizes.data_at);
    header->size = sizes.size;
    header->data_at = sizes.data_at;
    CHECK(FailureToOpen(name, Disposition::kAttach) == refused);
    CHECK(FailureToOpen(name, Disposition::kOpen) == refused);
    CHECK(FailureToOpen(name, Disposition::kCreate) == Failed(EEXIST));
  }
  // Who had it open before has read its header already.
  CHECK(object->shape().size == kSize);
  CHECK(object->shape().data_at == kDataAt);
  CHECK(object->TryLock() == Acquired::kYes);
  object->Unlock();
}

TEST_CASE("an object is as its header says, in a segment that is longer, with and without parts") {
  Contents contents = WithWords(kDataAlignment);
  contents.data_bytes = 100;
  struct Sizes {
    uint64_t size;
    uint32_t data_at;
  };
  const Sizes sensible[] = {
      {400, kHeaderBytes + kDataAlignment},  // some systems round up
      {kHeaderBytes + kDataAlignment, kHeaderBytes + kDataAlignment},
      {420, kHeaderBytes},
      {420, kHeaderBytes + 2 * kDataAlignment},
      {kHeaderBytes, kHeaderBytes},
  };
  for (const Sizes& sizes : sensible) {
    CAPTURE(sizes.size);
    CAPTURE(sizes.data_at);
    const Name name;
    Handle(name, Disposition::kCreate, contents).Drop();
    Bytes(name)->size = sizes.size;
    Bytes(name)->data_at = sizes.data_at;
    const Handle object(name, Disposition::kAttach);
    CHECK(object->shape().size == sizes.size);
    CHECK(object->shape().data_at == sizes.data_at);
    CHECK(object->WordAt(sizes.size) == nullptr);
    CHECK(object->TryLock() == Acquired::kYes);
    object->Unlock();
  }
}

TEST_CASE("a lock is a header and nothing else") {
  const Name name;
  const Handle lock(name, Disposition::kCreate);
  CHECK(lock->shape().size == kHeaderBytes);
  CHECK(lock->shape().data_at == kHeaderBytes);
  CHECK(lock->shape().type == 0);
  CHECK(lock->shape().length == 0);
  const Bytes header(name);
  CHECK(header.size() >= kHeaderBytes);
  CHECK(header->magic == kMagic);
  CHECK(header->version == kLayoutVersion);
  CHECK(header->kind == kKind);
  CHECK(header->abi == os::Mutex::AbiWord());
  CHECK(header->state == kLive);
  CHECK(header->news == kNoNews);
  CHECK(memcmp(header->id, lock->id().data(), lock->id().size()) == 0);
}

TEST_CASE("what a creator puts into an object is there to whoever attaches, and the rest is zero") {
  constexpr size_t kWordsBytes = 2 * kDataAlignment;
  constexpr size_t kDataBytes = 100;
  constexpr uint64_t kLength = (uint64_t{1} << 40) + 1;
  static const uint32_t kWords[] = {0x01020304, 0xfffffffe, 7};
  static const char kData[] = "some data";
  const Name name;
  const Signal made;
  Child attacher([&] {
    made.Await();
    // What it would have made itself is of no account.
    const SharedObject* object = Open(name, Disposition::kAttach);
    SHMKIT_EXPECT(object != nullptr);
    const Shape& shape = object->shape();
    SHMKIT_EXPECT(shape.type == 5);
    SHMKIT_EXPECT(shape.length == kLength);
    SHMKIT_EXPECT(shape.data_at == kHeaderBytes + kWordsBytes);
    SHMKIT_EXPECT(shape.size == kHeaderBytes + kWordsBytes + kDataBytes);
    const unsigned char* words = object->mapping()->bytes() + kHeaderBytes;
    const unsigned char* data = object->mapping()->bytes() + shape.data_at;
    SHMKIT_EXPECT(memcmp(words, kWords, sizeof kWords) == 0);
    SHMKIT_EXPECT(IsZero(words + sizeof kWords, kWordsBytes - sizeof kWords));
    SHMKIT_EXPECT(memcmp(data, kData, sizeof kData) == 0);
    SHMKIT_EXPECT(IsZero(data + sizeof kData, kDataBytes - sizeof kData));
    SHMKIT_EXPECT(object->WordAt(kHeaderBytes)->value == kWords[0]);
    return true;
  });
  const Handle object(
      name, Disposition::kCreate,
      {kKind, 5, kLength, kWordsBytes, kDataBytes, kWords, sizeof kWords, kData, sizeof kData});
  made.Raise();
  CHECK(attacher.Succeeds());
}

TEST_CASE("objects of all sizes have the words and the data that they were made with") {
  const size_t words_sizes[] = {0, kDataAlignment, 100 * kDataAlignment};
  const size_t data_sizes[] = {0, 1, 63, 4096, (3 << 20) + 5};
  for (const size_t words_bytes : words_sizes) {
    for (const size_t data_bytes : data_sizes) {
      CAPTURE(words_bytes);
      CAPTURE(data_bytes);
      const std::vector<uint8_t> given(std::max(words_bytes, data_bytes), 0x5a);
      const Name name;
      const Handle object(name, Disposition::kOpen,
                          {kKind, 1, 2, words_bytes, data_bytes, given.data(), words_bytes,
                           given.data(), data_bytes});
      const Bytes bytes(name);
      CHECK(bytes.size() >= kHeaderBytes + words_bytes + data_bytes);
      CHECK(object->shape().size == kHeaderBytes + words_bytes + data_bytes);
      CHECK(memcmp(bytes.at(kHeaderBytes), given.data(), words_bytes) == 0);
      CHECK(memcmp(bytes.at(object->shape().data_at), given.data(), data_bytes) == 0);
      CHECK(object->TryLock() == Acquired::kYes);
      object->Unlock();
    }
  }
}

TEST_CASE("what opens an object that is there gets it as it is, whatever it would have made") {
  const Name name;
  const Stamp first(1);
  const Stamp second(2);
  const Handle made(name, Disposition::kOpen, first.contents());
  const Handle opened(name, Disposition::kOpen, second.contents());
  CHECK(opened.get() == made.get());
  CHECK(opened->shape().type == 1);
  CHECK(Stamp::IsWholeIn(opened.get()));
  Child other([&] {
    const SharedObject* object = Open(name, Disposition::kOpen, second.contents());
    return object && object->shape().type == 1 && Stamp::IsWholeIn(object);
  });
  CHECK(other.Succeeds());
}

TEST_CASE("an object for which there is no memory is ENOSPC, and leaves nothing behind") {
  if (!TheStage().private_mounts) {
    MESSAGE("skipped: only private memory may be filled");
    return;
  }
  const LockFiles lock_files;
  const Name name;
  Contents contents = Bare();
  contents.data_bytes = size_t{2} << 30;
  for (const auto disposition : {Disposition::kCreate, Disposition::kOpen}) {
    CHECK(FailureToOpen(name, disposition, contents) == Failed(ENOSPC));
    CHECK_FALSE(name.Exists());
    CHECK(lock_files.count() == 0);
  }
  const Handle object(name, Disposition::kOpen);
  CHECK(object->TryLock() == Acquired::kYes);
  object->Unlock();
}

TEST_CASE("of sixteen that create, remove the name and are killed, nobody sees half an object") {
  struct Counts {
    std::atomic<uint32_t> made;
    std::atomic<uint32_t> found;
    std::atomic<uint32_t> removed;
  };
  const Shared<Counts> counts;
  const LockFiles lock_files;
  const Name name;
  Troupe troupe;
  const auto role = [&](uint32_t self) {
    std::minstd_rand random(self);
    for (uint32_t turn = 0; !troupe.over(); ++turn) {
      const uint32_t number = self << 16 | turn % 0x10000;
      const Stamp stamp(number);
      constexpr Disposition kWays[] = {Disposition::kCreate, Disposition::kAttach,
                                       Disposition::kOpen, Disposition::kOpen};
      const Disposition way = kWays[random() % 4];
      SharedObject* object = troupe.Open(self, name, way, stamp.contents());
      SHMKIT_EXPECT(object != nullptr || way != Disposition::kOpen);
      if (object) {
        const bool own = object->shape().type == number;
        SHMKIT_EXPECT(own || way != Disposition::kCreate);
        ++(own ? counts->made : counts->found);
        SHMKIT_EXPECT(Stamp::IsWholeIn(object));
        if (random() % 3 == 0 && object->RemoveName(false).ok()) ++counts->removed;
        SHMKIT_EXPECT(Stamp::IsWholeIn(object));
        object->DropReference();
      }
      troupe.CountTurn();
      // Were all at work all the time, nobody would get to kill them.
      const timespec rest{0, static_cast<long>(random() % 20000) * 1000};
      nanosleep(&rest, nullptr);
    }
    return true;
  };
  CHECK(troupe.Play(role, Troupe::Aim::kOpening));
  CHECK(counts->made > 0);
  CHECK(counts->found > 0);
  MESSAGE(counts->made.load(), " made, ", counts->found.load(), " found, ", counts->removed.load(),
          " removed, ", troupe.killed_opening(), " killed at it");
}

TEST_CASE("there is a word where words and data are, and nowhere else") {
  constexpr size_t kWordsBytes = kDataAlignment;
  constexpr size_t kDataAt = kHeaderBytes + kWordsBytes;
  constexpr size_t kDataBytes = 28;
  constexpr size_t kSize = kDataAt + kDataBytes;
  Contents contents = WithWords(kWordsBytes);
  contents.data_bytes = kDataBytes;
  const Name name;
  const Handle object(name, Disposition::kCreate, contents);
  const unsigned char* bytes = object->mapping()->bytes();

  for (size_t offset = kHeaderBytes; offset + 8 <= kSize; offset += 8) {
    CAPTURE(offset);
    CHECK(reinterpret_cast<const unsigned char*>(object->WordAt(offset)) == bytes + offset);
  }
  for (size_t offset = 0; offset < kHeaderBytes; ++offset) {
    CAPTURE(offset);
    CHECK(object->WordAt(offset) == nullptr);
  }
  for (size_t offset = kHeaderBytes; offset < kSize; ++offset) {
    if (offset % 8 == 0) continue;
    CAPTURE(offset);
    CHECK(object->WordAt(offset) == nullptr);
  }
  // The last four bytes are half a word.
  for (const size_t offset : {kSize - 4, kSize, kSize + 4, kSize + 12, size_t{4096}, SIZE_MAX,
                              SIZE_MAX - 7, SIZE_MAX - kHeaderBytes + 1, SIZE_MAX / 2 + 1}) {
    CAPTURE(offset);
    CHECK(object->WordAt(offset) == nullptr);
  }
}

TEST_CASE("there is a cell where data are, and nowhere else") {
  constexpr size_t kDataAt = kHeaderBytes + kDataAlignment;
  constexpr size_t kSize = kDataAt + 28;
  Contents contents = WithWords(kDataAlignment);
  contents.data_bytes = kSize - kDataAt;
  const Name name;
  const Handle object(name, Disposition::kCreate, contents);
  const unsigned char* bytes = object->mapping()->bytes();

  for (size_t offset = 0; offset <= kSize + 8; ++offset) {
    CAPTURE(offset);
    const bool inside = offset >= kDataAt && offset + 8 <= kSize && offset % 8 == 0;
    const auto* expected = inside ? bytes + offset : nullptr;
    CHECK(reinterpret_cast<const unsigned char*>(object->CellAt(offset)) == expected);
  }
  for (const size_t offset : {size_t{4096}, SIZE_MAX, SIZE_MAX - 7, SIZE_MAX / 2 + 1}) {
    CHECK(object->CellAt(offset) == nullptr);
  }
  object->CellAt(kDataAt + 8)->store(0x0102030405060708);
  CHECK(*reinterpret_cast<const uint64_t*>(Bytes(name).at(kDataAt + 8)) == 0x0102030405060708);
}

TEST_CASE("there is neither word nor cell in a lock") {
  const Name name;
  const Handle lock(name, Disposition::kCreate);
  for (size_t offset = 0; offset <= kHeaderBytes + 8; ++offset) {
    CHECK(lock->WordAt(offset) == nullptr);
    CHECK(lock->CellAt(offset) == nullptr);
  }
}

TEST_CASE("a word wakes those who wait for it in other processes") {
  constexpr size_t kAt = kHeaderBytes + 8;
  const Name name;
  const Signal made;
  Child waiter([&] {
    made.Await();
    const SharedObject* object = Open(name, Disposition::kAttach);
    SHMKIT_EXPECT(object != nullptr);
    os::WaitWord& word = *object->WordAt(kAt);
    while (word.value.load() == 0) (void)os::Wait(word, 0, os::Deadline::Never());
    return true;
  });
  const Handle object(name, Disposition::kCreate, WithWords(kDataAlignment));
  made.Raise();
  AwaitWaiters(*object->WordAt(kAt), 1);
  Change(*object->WordAt(kAt), 1);
  CHECK(waiter.Succeeds());
}

TEST_CASE("a name is removed while it leads to the object, and no other object's is") {
  const Name name;
  const Handle first(name, Disposition::kCreate);
  const Remains of_first(first);
  CHECK(first->RemoveName(false).ok());
  CHECK_FALSE(name.Exists());
  CHECK(ErrorOf(first->RemoveName(false)) == ENOENT);
  CHECK(FailureToOpen(name, Disposition::kAttach) == Failed(ENOENT));

  const Handle second(name, Disposition::kCreate);
  const Remains of_second(second);
  CHECK(second.get() != first.get());
  CHECK(second->id() != first->id());
  CHECK(ErrorOf(first->RemoveName(false)) == ENOENT);
  CHECK(name.Exists());
  const Handle again(name, Disposition::kAttach);
  CHECK(again.get() == second.get());
  CHECK(second->RemoveName(false).ok());
  CHECK_FALSE(name.Exists());
}

TEST_CASE("L3: of many who remove one name, none removes a successor's") {
  constexpr uint32_t kRemovers = 4;
  constexpr uint32_t kObjects = 3000;
  // Which of the attempts to make an object was removed last, by its number. Where objects are not
  // published whole, one may be removed before its creator is done, who has to try again then.
  using Removals = std::array<std::atomic<uint64_t>, kObjects>;
  const Shared<Removals> removals;
  const Shared<std::atomic<bool>> over;
  const LockFiles lock_files;
  const Name name;
  std::vector<Child> removers;
  for (uint32_t each = 0; each < kRemovers; ++each) {
    removers.emplace_back([&] {
      while (!*over) {
        SharedObject* object = Open(name, Disposition::kAttach);
        if (!object) {
          std::this_thread::yield();
          continue;
        }
        const Shape shape = object->shape();
        SHMKIT_EXPECT(shape.type < kObjects);
        if (object->RemoveName(false).ok()) {
          SHMKIT_EXPECT((*removals)[shape.type].exchange(shape.length) != shape.length);
        }
        object->DropReference();
      }
      return true;
    });
  }
  std::vector<uint64_t> made;
  for (uint64_t attempt = 1; made.size() < kObjects; ++attempt) {
    Contents contents = Bare();
    contents.type = static_cast<uint32_t>(made.size());
    contents.length = attempt;
    SharedObject* object = Open(name, Disposition::kCreate, contents);
    if (!object) {
      std::this_thread::yield();
      continue;
    }
    object->DropReference();
    made.push_back(attempt);
  }
  while (name.Exists()) std::this_thread::yield();
  *over = true;
  for (Child& remover : removers) CHECK(remover.Succeeds());
  for (uint32_t number = 0; number < kObjects; ++number) CHECK((*removals)[number] == made[number]);
}

TEST_CASE("a header that changes while it is looked at is used as it was found good, or refused") {
  const Name name;
  const Handle object(name, Disposition::kCreate, WithWords(kDataAlignment));
  const Remains remains(object);
  const Shared<std::atomic<bool>> over;
  Child vandal([&] {
    Bytes header(name);
    std::minstd_rand random(1);
    while (!*over) {
      header->data_at = static_cast<uint32_t>(random());
      header->size = random();
      header->id[0] = static_cast<uint8_t>(random());
      header->data_at = kHeaderBytes + kDataAlignment;
      header->size = header->data_at;
    }
    return true;
  });
  uint32_t found = 0;
  while (found < 2000) {
    OpenFailure why{};
    SharedObject* other = Open(name, Disposition::kAttach, Bare(), &why);
    if (!other) {
      CHECK(why.refusal == Refusal::kTruncated);
      continue;
    }
    ++found;
    const Shape& shape = other->shape();
    CHECK(shape.data_at >= kHeaderBytes);
    CHECK(shape.data_at <= shape.size);
    CHECK(shape.size <= other->mapping()->segment().size);
    other->DropReference();
  }
  *over = true;
  CHECK(vandal.Succeeds());
}

TEST_CASE("contents that do not fit themselves are refused, and leave nothing") {
  const Name name;
  static const uint8_t bytes[2 * kDataAlignment] = {};
  Contents contents = WithWords(kDataAlignment);
  SUBCASE("more words than there is room for") {
    contents.words = bytes;
    contents.initial_words = kDataAlignment + 1;
  }
  SUBCASE("more data than there is room for") {
    contents.data_bytes = 8;
    contents.data = bytes;
    contents.initial_data = 9;
  }
  SUBCASE("words that leave the data unaligned") { contents.words_bytes = kDataAlignment - 8; }
  SUBCASE("data beyond what the header can say") { contents.words_bytes = size_t{1} << 32; }
  CHECK(FailureToOpen(name, Disposition::kCreate, contents) == Failed(EINVAL));
  CHECK_FALSE(name.Exists());
}

TEST_CASE("a removed name leaves the object to all who have it, and its successor alone") {
  constexpr uint32_t kTurns = 200;
  const Name name;
  const Signal made;
  const Signal attached;
  const Signal removed;
  const Shared<std::atomic<uint32_t>> counter;
  const auto count = [&](SharedObject* object) {
    for (uint32_t turn = 0; turn < kTurns; ++turn) {
      if (object->LockUntil(os::Deadline::Never()) != Acquired::kYes) return false;
      const uint32_t seen = *counter;
      sched_yield();
      *counter = seen + 1;
      object->Unlock();
    }
    return true;
  };
  Child user([&] {
    made.Await();
    SharedObject* object = Open(name, Disposition::kAttach);
    SHMKIT_EXPECT(object != nullptr);
    attached.Raise();
    removed.Await();
    SHMKIT_EXPECT(count(object));
    Change(*object->WordAt(kHeaderBytes), 1);
    return true;
  });
  const Handle first(name, Disposition::kCreate, WithWords(kDataAlignment));
  const Remains of_first(first);
  made.Raise();
  attached.Await();
  CHECK(first->RemoveName(false).ok());
  const Handle second(name, Disposition::kOpen, WithWords(kDataAlignment));
  CHECK(second.get() != first.get());
  CHECK(second->LockUntil(os::Deadline::Never()) == Acquired::kYes);
  removed.Raise();
  CHECK(count(first.get()));
  os::WaitWord& word = *first->WordAt(kHeaderBytes);
  while (word.value.load() == 0) (void)os::Wait(word, 0, os::Deadline::Never());
  CHECK(user.Succeeds());
  CHECK(*counter == 2 * kTurns);
  CHECK(second->WordAt(kHeaderBytes)->value == 0);
  second->Unlock();
}

TEST_CASE("a name is removed from under an owner, whose death is still told to the next one") {
  const Name name;
  const Handle object(name, Disposition::kCreate);
  const Remains remains(object);
  const Signal held;
  Child owner([&] {
    SHMKIT_EXPECT(object->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    held.Raise();
    PauseForEver();
    return true;
  });
  held.Await();
  CHECK(object->RemoveName(false).ok());
  CHECK_FALSE(name.Exists());
  CHECK(object->TryLock() == Acquired::kTimeout);
  CHECK(object->IsLocked());
  owner.Kill();
  CHECK(object->LockUntil(os::Deadline::Never()) == Acquired::kAbandoned);
  object->Unlock();
  CHECK(object->LockUntil(os::Deadline::Never()) == Acquired::kYes);
  object->Unlock();
}

TEST_CASE("a name that this process may not remove stays, and its object in use") {
  if (geteuid() != 0) {
    MESSAGE("skipped: becoming somebody else needs root");
    return;
  }
  const Name name;
  const mode_t before = umask(0);
  OpenFailure why{};
  const Handle object(SharedObject::Open(name, 0666, Disposition::kCreate, Bare(), &why));
  umask(before);
  Child stranger([&] {
    SHMKIT_EXPECT(BecomeNobody());
    const int error = ErrorOf(object->RemoveName(false));
    SHMKIT_EXPECT(error == EPERM || error == EACCES);
    SHMKIT_EXPECT(name.Exists());
    SHMKIT_EXPECT(object->LockUntil(os::Deadline::Never()) == Acquired::kYes);
    object->Unlock();
    return true;
  });
  CHECK(stranger.Succeeds());
  CHECK(object->TryLock() == Acquired::kYes);
  object->Unlock();
}

TEST_CASE("L1: threads that open one name and remove it get objects that work") {
  const LockFiles lock_files;
  const Name name;
  constexpr uint32_t kThreads = 4;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  std::atomic<uint32_t> removed{0};
  std::atomic<uint32_t> failures{0};
  for (uint32_t each = 0; each < kThreads; ++each) {
    threads.emplace_back([&, each] {
      std::minstd_rand random(each + 1);
      for (int round = 0; round < 300; ++round) {
        SharedObject* object = Open(name, Disposition::kOpen, WithWords(kDataAlignment));
        if (!object || object->LockUntil(os::Deadline::Never()) != Acquired::kYes) {
          ++failures;
          return;
        }
        object->WordAt(kHeaderBytes)->value.fetch_add(1);
        object->Unlock();
        if (random() % 2 && object->RemoveName(false).ok()) ++removed;
        object->DropReference();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(removed > 0);
}

TEST_CASE("Q1: the last reference lets go of what was shown, and no buffer reaches the object") {
  const Name name;
  Handle object(name, Disposition::kCreate, WithWords(kDataAlignment));
  Handle same(name, Disposition::kAttach);
  const Bytes bytes(name);
  const uint64_t inode = InodeOf(name);
  auto* mapping = object->mapping();
  volatile uint8_t* shown = mapping->bytes() + kHeaderBytes;
  mapping->NoteBuffer(Mapping::Audience::kUsers);
  object.Drop();
  *shown = 1;
  CHECK(*bytes.at(kHeaderBytes) == 1);
  same.Drop();
  // Its own mapping is the one that is left.
  CHECK(MappingsOf(inode) == 1);
  CHECK(*shown == 0);
  *shown = 2;
  CHECK(*bytes.at(kHeaderBytes) == 1);
  mapping->DropBuffer();
}

TEST_CASE("Q1: an object that was shown and let go can be opened again") {
  const Name name;
  Handle object(name, Disposition::kCreate, WithWords(kDataAlignment));
  auto* mapping = object->mapping();
  mapping->NoteBuffer(Mapping::Audience::kUsers);
  object->WordAt(kHeaderBytes)->value = 5;
  object.Drop();
  const Handle again(name, Disposition::kAttach);
  CHECK(again->mapping() != mapping);
  CHECK(again->WordAt(kHeaderBytes)->value == 5);
  CHECK(again->TryLock() == Acquired::kYes);
  again->Unlock();
  mapping->DropBuffer();
  CHECK(again->WordAt(kHeaderBytes)->value == 5);
}

TEST_SUITE_END();

}  // namespace shmkit::test
