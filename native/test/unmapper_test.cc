// The contract of core/unmapper.h.
#include "../core/unmapper.h"

#include "../core/quarantine.h"
#include "support.h"

namespace shmkit::test {

namespace {

constexpr size_t kLarge = 32 << 20;

bool IsMapped(const os::Segment& segment) {
  unsigned char page = 0;
  return mincore(segment.address, 4096, &page) == 0;
}

os::Segment Made(const Name& name) {
  MappedSegment made(os::Create(name, {kLarge, 0600, false}));
  REQUIRE(os::Unlink(name).ok());
  return made.Surrender();
}

}  // namespace

TEST_SUITE_BEGIN("unmapper");

TEST_CASE("a large segment is unmapped soon, and its memory is free after that") {
  const Name name;
  const os::Segment segment = Made(name);
  REQUIRE(IsMapped(segment));
  UnmapSoon(segment);
  (void)AwaitUnmapped();
  CHECK_FALSE(IsMapped(segment));
  CHECK_FALSE(AwaitUnmapped());
}

TEST_CASE("a small segment is unmapped at once") {
  const Name name;
  MappedSegment made(os::Create(name, {4096, 0600, false}));
  const os::Segment segment = made.Surrender();
  UnmapSoon(segment);
  CHECK_FALSE(IsMapped(segment));
}

TEST_CASE("who lacks memory waits for what is being unmapped, and tries again") {
  // In a round, the thread may have unmapped all of them before the first call.
  constexpr int kMostRounds = 100;
  for (const int error : {ENOSPC, ENOMEM}) {
    int calls = 0;
    for (int round = 0; calls < 2 && round < kMostRounds; ++round) {
      for (int i = 0; i < 8; ++i) UnmapSoon(Made(Name()));
      calls = 0;
      const auto last = WithRoom([&]() -> os::Result<int> {
        ++calls;
        return os::Failure{error, "mmap"};
      });
      CHECK_FALSE(last.ok());
      CHECK_FALSE(AwaitUnmapped());
    }
    CHECK(calls >= 2);
  }
}

TEST_CASE("who takes memory waits while much is to be unmapped") {
  for (int i = 0; i < 8; ++i) UnmapSoon(Made(Name()));
  AwaitMostUnmapped(4096);
  AwaitMostUnmapped(size_t{1} << 20);
  // What is left is little: two of them.
  int calls = 0;
  (void)WithMemory(size_t{1} << 20, [&]() -> os::Result<int> {
    ++calls;
    return 1;
  });
  CHECK(calls == 1);
  (void)AwaitUnmapped();
}

TEST_CASE("many threads unmap at the same time") {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int round = 0; round < 20; ++round) {
        const Name name;
        const auto made = os::Create(name, {size_t{2} << 20, 0600, true});
        if (!made.ok()) continue;
        (void)os::Unlink(name);
        UnmapSoon(made.value());
        if (round % 5 == 0) (void)AwaitUnmapped();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  (void)AwaitUnmapped();
  CHECK_FALSE(AwaitUnmapped());
}

}  // namespace shmkit::test
