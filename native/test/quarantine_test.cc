// The contract of core/quarantine.h.
#include "../core/quarantine.h"

#include <algorithm>

#include "support.h"

namespace shmkit::test {

namespace {

constexpr size_t kPage = 4096;

// Address space that stands for segments: what is quarantined need not have been shared.
os::Segment Reserve(size_t size) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  return {address == MAP_FAILED ? nullptr : address, size, {}, nullptr};
}

os::Segment Part(const os::Segment& whole, size_t at, size_t size) {
  return {static_cast<uint8_t*>(whole.address) + at, size, {}, nullptr};
}

}  // namespace

TEST_SUITE_BEGIN("quarantine");

TEST_CASE("a range is overlaid at once: late writes neither crash nor reach the segment") {
  const Name name;
  MappedSegment made(os::Create(name, {kPage, 0600, false}));
  const MappedSegment other(os::Attach(name, os::Access::kReadWrite));
  made[0] = 1;
  const os::Segment segment = made.Surrender();
  const std::shared_ptr<QuarantinedRange> range = PutInQuarantine(segment);
  auto* bytes = static_cast<uint8_t*>(segment.address);
  CHECK(bytes[0] == 0);
  bytes[0] = 2;
  CHECK(other[0] == 1);
  Settle(range);
  // Not yet given back: the limits are far.
  bytes[0] = 3;
  CHECK(IsMapped(bytes));
}

TEST_CASE("G1 G2: beyond the limit of bytes, the oldest that are settled are given back") {
  // Each addition looks at a few of the oldest ranges only, which shall be these.
  while (ReleaseSettled()) {
  }
  if (kThreadSanitizer) {
    MESSAGE("skipped: ThreadSanitizer keeps most of the address space to itself");
    return;
  }
  constexpr size_t kBytes = size_t{300} << 30;
  std::vector<os::Segment> ranges;
  for (int each = 0; each < 4; ++each) {
    ranges.push_back(Reserve(kBytes));
    if (!ranges.back().address) {
      MESSAGE("skipped: the system gives no such address space");
      for (const os::Segment& range : ranges) {
        if (range.address) os::Unmap(range);
      }
      return;
    }
  }
  // The middle of each: its ends may serve somebody else as soon as it is gone.
  const auto mapped = [&](size_t which) {
    return IsMapped(static_cast<uint8_t*>(ranges[which].address) + kBytes / 2);
  };
  const std::shared_ptr<QuarantinedRange> unsettled = PutInQuarantine(ranges[0]);
  Settle(PutInQuarantine(ranges[1]));
  Settle(PutInQuarantine(ranges[2]));
  CHECK(mapped(1));
  CHECK(mapped(2));
  const std::shared_ptr<QuarantinedRange> last = PutInQuarantine(ranges[3]);
  CHECK(mapped(0));
  CHECK_FALSE(mapped(1));
  CHECK(mapped(2));
  CHECK(mapped(3));

  // Nobody who adds to it is made to wait until the engine is done: the limit is passed meanwhile.
  Settle(unsettled);
  Settle(last);
}

TEST_CASE("G3: what late writers put into a range is dropped a while later") {
  const os::Segment range = Reserve(kPage);
  REQUIRE(range.address != nullptr);
  Settle(PutInQuarantine(range));
  const Stopwatch watch;
  volatile uint8_t* byte = static_cast<uint8_t*>(range.address);
  *byte = 42;
  // The quarantine does its work when a range is added.
  while (*byte == 42) {
    Settle(PutInQuarantine(Reserve(kPage)));
    Yield();
    const timespec nap{0, 20000000};
    nanosleep(&nap, nullptr);
  }
  CHECK(*byte == 0);
  CHECK(watch.milliseconds() >= 9900);
  CHECK(IsMapped(range.address));
}

TEST_CASE("G1 G2: beyond the limit of ranges, the oldest that are settled are given back") {
  // The limit, and a few that earlier tests left.
  constexpr size_t kRanges = 32768 + 64;
  const os::Segment all = Reserve(kRanges * kPage);
  REQUIRE(all.address != nullptr);
  const std::shared_ptr<QuarantinedRange> unsettled = PutInQuarantine(Part(all, 0, kPage));
  for (size_t each = 1; each < kRanges; ++each)
    Settle(PutInQuarantine(Part(all, each * kPage, kPage)));

  CHECK(IsMapped(all.address));
  size_t gone = 0;
  // From the start: what lies behind the first range is what was added after it.
  while (gone + 1 < kRanges && !IsMapped(Part(all, (gone + 1) * kPage, kPage).address)) ++gone;
  CHECK(gone >= 1);
  CHECK(gone < 2048);
  CHECK(IsMapped(Part(all, (kRanges - 1) * kPage, kPage).address));
  Settle(unsettled);
}

TEST_CASE("G1 G4: who cannot map any more gets the ranges that are settled") {
  // What other cases have left goes first.
  (void)WithRoom([]() -> os::Result<int> { return os::Failure{ENOMEM, "mmap"}; });
  const os::Segment all = Reserve(3 * kPage);
  REQUIRE(all.address != nullptr);
  const std::shared_ptr<QuarantinedRange> unsettled = PutInQuarantine(Part(all, kPage, kPage));
  Settle(PutInQuarantine(Part(all, 0, kPage)));
  Settle(PutInQuarantine(Part(all, 2 * kPage, kPage)));
  int maps = 0;
  const auto mapped = WithRoom([&]() -> os::Result<int> {
    if (++maps == 1) return os::Failure{ENOMEM, "mmap"};
    return maps;
  });
  CHECK(mapped.ok());
  CHECK(maps == 2);
  CHECK_FALSE(IsMapped(all.address));
  CHECK(IsMapped(Part(all, kPage, kPage).address));
  CHECK_FALSE(IsMapped(Part(all, 2 * kPage, kPage).address));

  maps = 0;
  const auto refused = WithRoom([&]() -> os::Result<int> {
    ++maps;
    return os::Failure{ENOMEM, "mmap"};
  });
  CHECK_FALSE(refused.ok());
  // Nothing was left to give back, but what others added meanwhile.
  CHECK(maps == 1);

  maps = 0;
  Settle(unsettled);
  const auto other = WithRoom([&]() -> os::Result<int> {
    ++maps;
    return os::Failure{ENOENT, "open"};
  });
  CHECK_FALSE(other.ok());
  CHECK(maps == 1);
  CHECK(IsMapped(Part(all, kPage, kPage).address));
}

TEST_SUITE_END();

}  // namespace shmkit::test
