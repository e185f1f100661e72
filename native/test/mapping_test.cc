// The contract of core/mapping.h.
#include "../core/mapping.h"

#include <algorithm>
#include <random>
#include <thread>

#include "support.h"

namespace shmkit::test {

namespace {

constexpr size_t kPage = 4096;

os::Segment Attached(const Name& name) {
  const os::Result<os::Segment> attached = os::Attach(name, os::Access::kReadWrite);
  REQUIRE(attached.ok());
  return attached.value();
}

// A segment, a Mapping of it, and how the test sees the segment itself.
struct Scene {
  Name name;
  MappedSegment segment{os::Create(name, {2 * kPage, 0600, /*sparse=*/false})};
  Mapping* mapping = new Mapping(Attached(name));
  // What a buffer over all of it holds on to.
  std::atomic<uint8_t>* shown = reinterpret_cast<std::atomic<uint8_t>*>(mapping->bytes());

  // But for the test's own.
  bool IsMappedThere() const { return MappingsOf(name) == 2; }
};

// Whether what is written through a buffer is there for others.
bool Reaches(const Scene& scene) {
  const uint8_t before = scene.segment[kPage];
  scene.shown[kPage] = static_cast<uint8_t>(before + 1);
  return scene.segment[kPage] == static_cast<uint8_t>(before + 1);
}

}  // namespace

TEST_SUITE_BEGIN("mapping");

// By address space that stands for segments, of which four are more than the quarantine keeps.
// Before the others: each addition looks at a few of the oldest ranges only, which shall be these.
TEST_CASE("Q1: the range of a closed mapping is kept until the last of its buffers is freed") {
  if (kThreadSanitizer) {
    MESSAGE("skipped: ThreadSanitizer keeps most of the address space to itself");
    return;
  }
  constexpr size_t kBytes = size_t{300} << 30;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  std::vector<os::Segment> ranges;
  while (ranges.size() < 5) {
    void* address = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, kFlags, -1, 0);
    if (address == MAP_FAILED) {
      MESSAGE("skipped: the system gives no such address space");
      for (const os::Segment& range : ranges) os::Unmap(range);
      return;
    }
    ranges.push_back({address, kBytes, {}, nullptr});
  }
  std::vector<Mapping*> mappings;
  for (const os::Segment& range : ranges) {
    mappings.push_back(new Mapping(range));
    mappings.back()->NoteBuffer(Mapping::Audience::kUsers);
    mappings.back()->NoteBuffer(Mapping::Audience::kUsers);
  }
  // The middle of each: its ends may serve somebody else as soon as it is gone.
  const auto mapped = [&](size_t which) { return IsMapped(mappings[which]->bytes() + kBytes / 2); };

  mappings[1]->DropBuffer();
  mappings[2]->DropBuffer();
  mappings[2]->DropBuffer();
  for (size_t each = 0; each < 4; ++each) mappings[each]->Close();
  CHECK(mapped(0));
  CHECK(mapped(1));
  CHECK_FALSE(mapped(2));
  CHECK(mapped(3));
  mappings[1]->DropBuffer();
  mappings[4]->Close();
  CHECK(mapped(0));
  CHECK_FALSE(mapped(1));
  CHECK(mapped(3));
  CHECK(mapped(4));

  for (const size_t each : {0, 3, 4}) {
    mappings[each]->DropBuffer();
    mappings[each]->DropBuffer();
  }
  for (Mapping* mapping : mappings) mapping->Abandon();
}

TEST_CASE("a mapping that was never shown is unmapped when it is closed") {
  const Scene scene;
  CHECK(Reaches(scene));
  CHECK_FALSE(scene.mapping->closed());
  CHECK(scene.mapping->segment().size == scene.segment.size());
  scene.mapping->Close();
  // At once, before anybody else has use for the range.
  const bool still_mapped = IsMapped(scene.shown);
  CHECK_FALSE(still_mapped);
  CHECK(scene.mapping->closed());
  CHECK_FALSE(scene.IsMappedThere());
  scene.mapping->Abandon();
}

TEST_CASE("a mapping that was never shown or closed is unmapped when its owner goes") {
  const Scene scene;
  CHECK(Reaches(scene));
  scene.mapping->Abandon();
  CHECK_FALSE(scene.IsMappedThere());
}

TEST_CASE("closing again, and going after it, leave alone who has the range by now") {
  const Scene scene;
  scene.mapping->Close();
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  void* range = mmap(scene.shown, 2 * kPage, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  if (range != scene.shown) {
    MESSAGE("skipped: somebody else has the range already");
    if (range != MAP_FAILED) munmap(range, 2 * kPage);
    scene.mapping->Abandon();
    return;
  }
  scene.shown[0] = 42;
  scene.mapping->Close();
  CHECK(scene.mapping->closed());
  CHECK(scene.shown[0] == 42);
  scene.mapping->Abandon();
  CHECK(scene.shown[0] == 42);
  munmap(range, 2 * kPage);
}

TEST_CASE("Q1: after closing, no buffer reaches the segment, and none crashes") {
  const Scene scene;
  const int buffers = 3;
  for (int each = 0; each < buffers; ++each) scene.mapping->NoteBuffer(Mapping::Audience::kUsers);
  CHECK(Reaches(scene));
  scene.segment[0] = 7;
  scene.mapping->Close();
  CHECK_FALSE(scene.IsMappedThere());
  CHECK(scene.shown[0] == 0);
  CHECK_FALSE(Reaches(scene));
  scene.mapping->Close();
  CHECK_FALSE(Reaches(scene));
  scene.mapping->Abandon();
  for (int each = 0; each < buffers; ++each) {
    CHECK_FALSE(Reaches(scene));
    scene.mapping->DropBuffer();
  }
  // The engine may be wrong about that.
  CHECK_FALSE(Reaches(scene));
  CHECK(scene.segment[0] == 7);
}

TEST_CASE("Q1: what was shown is quarantined even when all its buffers were freed before") {
  // One of them was perhaps transferred away, to where nobody tells of its end.
  const Scene scene;
  scene.mapping->NoteBuffer(Mapping::Audience::kUsers);
  scene.mapping->DropBuffer();
  CHECK(Reaches(scene));
  SUBCASE("and it is closed") {
    scene.mapping->Close();
    CHECK_FALSE(scene.IsMappedThere());
    CHECK_FALSE(Reaches(scene));
    scene.mapping->Abandon();
  }
  SUBCASE("and its owner goes") { scene.mapping->Abandon(); }
  CHECK_FALSE(scene.IsMappedThere());
  CHECK(IsMapped(scene.shown));
  CHECK_FALSE(Reaches(scene));
}

TEST_CASE("Q1: what only the library was shown is unmapped when it has hidden all of it") {
  const Scene scene;
  scene.mapping->NoteBuffer(Mapping::Audience::kLibrary);
  scene.mapping->NoteBuffer(Mapping::Audience::kLibrary);
  scene.mapping->NoteHidden();
  SUBCASE("even before the engine has freed it") {
    scene.mapping->NoteHidden();
    scene.mapping->Close();
    const bool still_mapped = IsMapped(scene.shown);
    CHECK_FALSE(still_mapped);
  }
  SUBCASE("but is quarantined when some was not hidden") {
    scene.mapping->Close();
    CHECK(IsMapped(scene.shown));
    CHECK_FALSE(Reaches(scene));
  }
  SUBCASE("but is quarantined when a user was shown it, too") {
    scene.mapping->NoteHidden();
    scene.mapping->NoteBuffer(Mapping::Audience::kUsers);
    scene.mapping->Close();
    CHECK(IsMapped(scene.shown));
    CHECK_FALSE(Reaches(scene));
    scene.mapping->DropBuffer();
  }
  CHECK_FALSE(scene.IsMappedThere());
  scene.mapping->DropBuffer();
  scene.mapping->DropBuffer();
  scene.mapping->Abandon();
}

TEST_CASE("Q1: a thread that is writing when it is closed writes to nobody from then on") {
  if (kThreadSanitizer) {
    MESSAGE("skipped: to ThreadSanitizer, to overlay a range is to write to it");
    return;
  }
  constexpr uint32_t kLateWrites = 10000;
  const Scene scene;
  scene.mapping->NoteBuffer(Mapping::Audience::kUsers);
  std::atomic<uint32_t> writes{0};
  std::atomic<bool> over{false};
  std::thread writer([&] {
    while (!over) {
      scene.shown[0] = 1;
      ++writes;
    }
  });
  while (scene.segment[0] != 1) Yield();
  scene.mapping->Close();
  scene.segment[0] = 9;
  for (const uint32_t before = writes; writes - before < kLateWrites;) sched_yield();
  CHECK(scene.segment[0] == 9);
  over = true;
  writer.join();
  scene.mapping->DropBuffer();
  scene.mapping->Abandon();
}

TEST_CASE("Q2: the memory stays for the buffers of an owner that went without closing") {
  const Scene scene;
  scene.mapping->NoteBuffer(Mapping::Audience::kUsers);
  scene.mapping->NoteBuffer(Mapping::Audience::kUsers);
  scene.mapping->Abandon();
  CHECK(scene.IsMappedThere());
  CHECK(Reaches(scene));
  scene.mapping->DropBuffer();
  CHECK(scene.IsMappedThere());
  CHECK(Reaches(scene));
  scene.mapping->DropBuffer();
  CHECK_FALSE(scene.IsMappedThere());
  CHECK_FALSE(Reaches(scene));
}

TEST_CASE("Q2: the memory stays for an owner whose buffers were freed, and can be shown again") {
  const Scene scene;
  for (int round = 0; round < 3; ++round) {
    scene.mapping->NoteBuffer(Mapping::Audience::kUsers);
    CHECK(Reaches(scene));
    scene.mapping->DropBuffer();
    CHECK(scene.IsMappedThere());
    CHECK_FALSE(scene.mapping->closed());
  }
  scene.mapping->Close();
  scene.mapping->Abandon();
  CHECK_FALSE(Reaches(scene));
}

TEST_CASE("Q1 Q2: buffers may be freed on other threads, before and after their owner closes") {
  constexpr int kRounds = 200;
  constexpr int kBuffers = 4;
  std::minstd_rand random(1);
  const Name name;
  const MappedSegment segment(os::Create(name, {kPage, 0600, false}));
  for (int round = 0; round < kRounds; ++round) {
    auto* mapping = new Mapping(Attached(name));
    std::atomic<int> ready{0};
    for (int each = 0; each < kBuffers; ++each) mapping->NoteBuffer(Mapping::Audience::kUsers);
    std::vector<std::thread> engine;
    engine.reserve(kBuffers);
    for (int each = 0; each < kBuffers; ++each) {
      engine.emplace_back([&ready, mapping] {
        ++ready;
        mapping->DropBuffer();
      });
    }
    // From before the first of them to after the last.
    const int until = static_cast<int>(random() % (kBuffers + 1));
    while (ready < until) sched_yield();
    if (random() % 3) mapping->Close();
    if (random() % 3 == 0) sched_yield();
    mapping->Abandon();
    for (std::thread& thread : engine) thread.join();
    // Whoever went last has let go.
    REQUIRE(MappingsOf(name) == 1);
  }
}

TEST_CASE("Q1 Q2: buffers may be made while others are freed on other threads") {
  constexpr int kBuffers = 2000;
  const Scene scene;
  std::atomic<int> made{0};
  constexpr int kThreads = 2;
  std::vector<std::thread> engine;
  engine.reserve(kThreads);
  std::atomic<int> freed{0};
  for (int each = 0; each < kThreads; ++each) {
    engine.emplace_back([&] {
      for (int next = freed++; next < kBuffers; next = freed++) {
        while (made <= next) sched_yield();
        scene.mapping->DropBuffer();
      }
    });
  }
  for (int each = 0; each < kBuffers; ++each) {
    scene.mapping->NoteBuffer(Mapping::Audience::kUsers);
    ++made;
    if (each % 16 == 0) CHECK(Reaches(scene));
  }
  for (std::thread& thread : engine) thread.join();
  CHECK(scene.IsMappedThere());
  CHECK(Reaches(scene));
  scene.mapping->Abandon();
  CHECK_FALSE(scene.IsMappedThere());
}

TEST_SUITE_END();

}  // namespace shmkit::test
