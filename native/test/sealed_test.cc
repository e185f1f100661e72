// Sealed segments and objects: S9 of os/segment.h.
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "objects.h"
#include "support.h"

namespace shmkit::test {

namespace {

constexpr size_t kMiB = size_t{1} << 20;

size_t Unit() { return os::MapUnit(); }

// A sealed segment: some units that are shared, and pieces behind them.
struct Plan {
  std::vector<std::string> texts;
  std::vector<os::Piece> pieces;
  os::CreateOptions options;

  // The pieces lie so far apart.
  Plan(size_t shared_bytes, std::vector<std::string> of, size_t gap = 0)
      : texts(std::move(of)), options{0, 0600, /*sparse=*/false} {
    size_t at = shared_bytes;
    for (const std::string& text : texts) {
      pieces.push_back({text.data(), text.size(), at});
      at += text.size() + gap;
    }
    options.size = at;
    options.shared_bytes = shared_bytes;
    options.pieces = pieces.data();
    options.piece_count = pieces.size();
  }
};

os::Result<os::Segment> AttachSealed(const std::string& name, size_t shared_bytes,
                                     size_t expected_bytes = 0) {
  const os::Result<os::Segment> found = os::Attach(name, os::Access::kSealed, expected_bytes);
  if (!found.ok()) return found;
  os::Result<os::Segment> shared = os::Share(found.value(), shared_bytes);
  if (!shared.ok()) os::Unmap(found.value());
  return shared;
}

std::string TextAt(const MappedSegment& segment, size_t at, size_t length) {
  std::string text;
  for (size_t i = 0; i < length; ++i) text += static_cast<char>(segment[at + i].load());
  return text;
}

Contents SealedContents(const Plan& plan) {
  Contents contents = Bare();
  contents.words_bytes = plan.options.shared_bytes - kHeaderBytes;
  contents.data_bytes = plan.options.size - plan.options.shared_bytes;
  contents.sealed = true;
  contents.pieces = plan.options.pieces;
  contents.piece_count = plan.options.piece_count;
  return contents;
}

size_t FreeBytes() {
  struct statvfs status{};
  REQUIRE(statvfs(kSegmentDirectory, &status) == 0);
  return size_t{status.f_bavail} * status.f_bsize;
}

// Memory whose first read takes so long that another process gives up the object of that name,
// which is being made from it. That process is about to remove the name.
class GivenUpAtRead {
 public:
  static constexpr size_t kBytes = 4096;

  explicit GivenUpAtRead(const Name& name) {
    the_name_ = &name;
    the_reads_ = 0;
    page_ = the_page_ = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigaction action = {};
    action.sa_handler = Read;
    sigaction(SIGSEGV, &action, &before_);
  }
  ~GivenUpAtRead() {
    sigaction(SIGSEGV, &before_, nullptr);
    munmap(page_, kBytes);
    the_object_.reset();
  }
  GivenUpAtRead(const GivenUpAtRead&) = delete;
  GivenUpAtRead& operator=(const GivenUpAtRead&) = delete;

  const void* data() const { return page_; }
  int reads() const { return the_reads_; }
  // The object that was given up.
  const Bytes& object() const { return *the_object_; }

 private:
  static void Read(int) {
    ++the_reads_;
    mprotect(the_page_, kBytes, PROT_READ);
    the_object_ = std::make_unique<Bytes>(*the_name_);
    (*the_object_)->state = kDead;
  }

  static inline const Name* the_name_ = nullptr;
  static inline void* the_page_ = nullptr;
  static inline int the_reads_ = 0;
  static inline std::unique_ptr<Bytes> the_object_;

  void* page_;
  struct sigaction before_;
};

}  // namespace

TEST_SUITE_BEGIN("sealed");

TEST_CASE("S9: a sealed segment has its pieces where they belong, and zeroes between them") {
  const Name name;
  const Plan plan(Unit(), {"one", std::string(3 * Unit(), 'x'), "", "three"}, 64);
  const MappedSegment made(os::Create(name, plan.options));
  const MappedSegment attached(AttachSealed(name, Unit()));
  for (const MappedSegment* each : {&made, &attached}) {
    CHECK(each->size() >= plan.options.size);
    for (const os::Piece& piece : plan.pieces) {
      const std::string text(static_cast<const char*>(piece.data), piece.length);
      CHECK(TextAt(*each, piece.at, piece.length) == text);
    }
    CHECK(TextAt(*each, Unit() + 3, 64) == std::string(64, '\0'));
    CHECK((*each)[0] == 0);
  }
}

TEST_CASE("S9: the first part is shared by all") {
  const Name name;
  const Plan plan(2 * Unit(), {"data"});
  const MappedSegment made(os::Create(name, plan.options));
  Child child([&] {
    const os::Result<os::Segment> found = AttachSealed(name, 2 * Unit());
    SHMKIT_EXPECT(found.ok());
    static_cast<char*>(found.value().address)[2 * Unit() - 1] = 7;
    return true;
  });
  REQUIRE(child.Succeeds());
  CHECK(made[2 * Unit() - 1] == 7);
}

TEST_CASE("S9: exactly the first part is shared, whatever was expected") {
  const Name name;
  const Plan plan(2 * Unit(), {std::string(2 * Unit(), 'a')});
  const MappedSegment made(os::Create(name, plan.options));
  char mark = 0;
  for (const size_t expected : {0, 1, 2, 3, 4, 5}) {
    const MappedSegment attached(AttachSealed(name, 2 * Unit(), expected * Unit()));
    attached[0] = attached[2 * Unit() - 1] = ++mark;
    CHECK(made[0] == mark);
    CHECK(made[2 * Unit() - 1] == mark);
    attached[2 * Unit()] = attached[4 * Unit() - 1] = 'b';
    CHECK(TextAt(made, 2 * Unit(), 2 * Unit()) == std::string(2 * Unit(), 'a'));
  }
}

TEST_CASE("S9: what anybody writes into the rest stays private, also what the creator writes") {
  const Name name;
  const Plan plan(Unit(), {std::string(4 * Unit(), 'a')});
  const MappedSegment made(os::Create(name, plan.options));
  made[Unit()] = 'b';
  Child child([&] {
    const os::Result<os::Segment> found = AttachSealed(name, Unit());
    SHMKIT_EXPECT(found.ok());
    auto* bytes = static_cast<char*>(found.value().address);
    SHMKIT_EXPECT(bytes[Unit()] == 'a');
    memset(bytes + Unit(), 'c', 4 * Unit());
    return true;
  });
  REQUIRE(child.Succeeds());
  CHECK(TextAt(made, Unit(), 4 * Unit()) == 'b' + std::string(4 * Unit() - 1, 'a'));
  const MappedSegment later(AttachSealed(name, Unit()));
  CHECK(later[Unit()] == 'a');
}

TEST_CASE("S9: a sealed segment keeps no descriptor once it is shared") {
  const Name name;
  const Plan plan(Unit(), {"data"});
  const size_t before = DescriptorCount();
  const MappedSegment made(os::Create(name, plan.options));
  CHECK(DescriptorCount() == before);
  const os::Result<os::Segment> found = os::Attach(name, os::Access::kSealed);
  REQUIRE(found.ok());
  os::Unmap(found.value());
  CHECK(DescriptorCount() == before);
  const os::Segment attached = MappedSegment(AttachSealed(name, Unit())).Surrender();
  CHECK(DescriptorCount() == before);
  CHECK(os::Overlay(attached));
  auto* bytes = static_cast<volatile char*>(attached.address);
  bytes[0] = bytes[attached.size - 1] = 1;  // a late writer
  CHECK(made[0] == 0);
  os::Drain(attached);
  os::GiveBack(attached);
}

TEST_CASE("S9: what does not fit is ENOSPC, and leaves nothing") {
  if (!TheStage().private_mounts) {
    MESSAGE("skipped: needs a mount of its own");
    return;
  }
  Child child([] {
    SHMKIT_EXPECT(unshare(CLONE_NEWNS) == 0);
    SHMKIT_EXPECT(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    SHMKIT_EXPECT(mount("tmpfs", kSegmentDirectory, "tmpfs", 0, "size=1m") == 0);
    const Name name;
    const size_t before = FreeBytes();
    const Plan large(Unit(), {"first", std::string(2 * kMiB, 'x')});
    const os::Result<os::Segment> failed = os::Create(name, large.options);
    SHMKIT_EXPECT(!failed.ok() && failed.failure().error == ENOSPC);
    SHMKIT_EXPECT(FreeBytes() == before);
    SHMKIT_EXPECT(EntriesOf(kSegmentDirectory).empty());
    const Plan fits(Unit(), {std::string(kMiB / 2, 'x')});
    const os::Result<os::Segment> made = os::Create(name, fits.options);
    SHMKIT_EXPECT(made.ok());
    os::Unmap(made.value());
    return os::Unlink(name).ok();
  });
  CHECK(child.Succeeds());
}

TEST_CASE("a sealed object has a header and words that are shared, and a lock") {
  const Name name;
  const Plan plan(Unit(), {"the data"});
  const Contents contents = SealedContents(plan);
  const Handle made(name, Disposition::kCreate, contents);
  CHECK(made->shape().data_at == Unit());
  CHECK(made->TryLock() == Acquired::kYes);
  Child child([&] {
    // Not Open: this process would have the object already.
    const os::Result<os::Segment> found = AttachSealed(name, Unit());
    SHMKIT_EXPECT(found.ok());
    auto* bytes = static_cast<char*>(found.value().address);
    SHMKIT_EXPECT(memcmp(bytes + Unit(), "the data", 8) == 0);
    bytes[kHeaderBytes] = 5;
    return true;
  });
  REQUIRE(child.Succeeds());
  CHECK(made->mapping()->bytes()[kHeaderBytes] == 5);
  made->Unlock();
  const Handle attached(name, Disposition::kAttach, contents);
  CHECK(attached.get() == made.get());
}

TEST_CASE("an object that others gave up before its creator filled it is made anew") {
  if (os::kPublishesWhole) {
    MESSAGE("skipped: this mechanism shows no object before it is finished");
    return;
  }
  Disposition disposition = Disposition::kOpen;
  SUBCASE("by open") { disposition = Disposition::kOpen; }
  SUBCASE("by create") { disposition = Disposition::kCreate; }

  const LockFiles lock_files;
  const Name name;
  const GivenUpAtRead page(name);
  const Plan plan(Unit(), {std::string(GivenUpAtRead::kBytes, 'x')});
  Contents contents = SealedContents(plan);
  const os::Piece piece{page.data(), GivenUpAtRead::kBytes, Unit()};
  contents.pieces = &piece;
  const Handle made(name, disposition, contents);
  CHECK(page.reads() == 1);
  CHECK(page.object()->state == kDead);
  CHECK(Bytes(name)->state == kLive);
  CHECK(Handle(name, Disposition::kAttach, contents).get() == made.get());
  CHECK(made->LockUntil(os::Deadline::Never()) == Acquired::kYes);
  made->Unlock();
}

TEST_CASE("an object that cannot be sealed as it says is refused") {
  const Name name;
  const Plan plan(Unit(), {"the data"});
  Contents contents = SealedContents(plan);
  OpenFailure why{};
  SUBCASE("its words do not fill whole units") {
    contents.words_bytes -= kDataAlignment;
    CHECK(Open(name, Disposition::kCreate, contents, &why) == nullptr);
    CHECK(why.failure.error == EINVAL);
    CHECK_FALSE(name.Exists());
  }
  SUBCASE("it has no data") {
    contents.data_bytes = 0;
    contents.piece_count = 0;
    CHECK(Open(name, Disposition::kCreate, contents, &why) == nullptr);
    CHECK(why.failure.error == EINVAL);
  }
  SUBCASE("its header says something else by now") {
    {
      const Handle made(name, Disposition::kCreate, contents);
    }
    const MappedSegment raw(os::Attach(name, os::Access::kReadWrite));
    auto* header = static_cast<Header*>(raw.segment().address);
    for (const size_t data_at : {kHeaderBytes, Unit() + kDataAlignment, plan.options.size}) {
      header->data_at = static_cast<uint32_t>(data_at);
      CHECK(Open(name, Disposition::kAttach, contents, &why) == nullptr);
      CHECK(why.refusal == Refusal::kTruncated);
    }
  }
}

TEST_SUITE_END();

}  // namespace shmkit::test
