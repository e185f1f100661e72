// Segments and objects that grow: S8 of os/segment.h, and core/shared_object_growth.cc.
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "objects.h"
#include "support.h"

namespace shmkit::test {

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kMiB = size_t{1} << 20;

os::CreateOptions Growing(size_t size, size_t first) { return {size, 0600, false, first}; }

Contents GrowingContents(size_t data, size_t first) {
  Contents contents = Bare();
  contents.data_bytes = data;
  contents.first_bytes = first;
  return contents;
}

size_t FreeBytes() {
  struct statvfs status{};
  REQUIRE(statvfs(kSegmentDirectory, &status) == 0);
  return size_t{status.f_bavail} * status.f_bsize;
}

int ErrorOf(const os::Status& status) { return status.ok() ? 0 : status.failure().error; }

}  // namespace

TEST_SUITE_BEGIN("growth");

TEST_CASE("S8: a segment that grows is all address space, and at first little memory") {
  const Name name;
  const size_t before = FreeBytes();
  const MappedSegment made(os::Create(name, Growing(256 * kMiB, kPage)));
  CHECK(made.size() == 256 * kMiB);
  made[kPage - 1] = 1;
  if (TheStage().private_mounts) CHECK(before - FreeBytes() <= 2 * kPage);
  REQUIRE(os::Commit(made.segment(), kPage, kMiB).ok());
  made[kMiB] = 2;
  if (TheStage().private_mounts) CHECK(before - FreeBytes() >= kMiB);
  REQUIRE(os::Commit(made.segment(), 0, 2 * kMiB).ok());
  CHECK(made[kPage - 1] == 1);
  CHECK(made[kMiB] == 2);
}

TEST_CASE("S8: whoever attaches to grow sees what others committed, and commits for them") {
  const Name name;
  const MappedSegment made(os::Create(name, Growing(16 * kMiB, kPage)));
  const MappedSegment other(os::Attach(name, os::Access::kGrowing));
  REQUIRE(other.size() == 16 * kMiB);
  REQUIRE(os::Commit(other.segment(), 8 * kMiB, kPage).ok());
  made[8 * kMiB] = 7;
  CHECK(other[8 * kMiB] == 7);
}

TEST_CASE("S8: growth goes on after the name is gone, and its descriptor goes with the mapping") {
  const Name name;
  const size_t before = DescriptorCount();
  {
    const MappedSegment made(os::Create(name, Growing(kMiB, kPage)));
    CHECK(DescriptorCount() == before + 1);
    REQUIRE(os::Unlink(name).ok());
    CHECK(os::Commit(made.segment(), kPage, kPage).ok());
  }
  CHECK(DescriptorCount() == before);
  const os::Result<os::Segment> made = os::Create(name, Growing(kMiB, kPage));
  REQUIRE(made.ok());
  CHECK(os::Overlay(made.value()));
  CHECK(DescriptorCount() == before);
  os::Drain(made.value());
  os::GiveBack(made.value());
}

TEST_CASE("S8: a segment that does not grow keeps no descriptor") {
  const Name name;
  const size_t before = DescriptorCount();
  const MappedSegment made(os::Create(name, {kPage, 0600, false}));
  const MappedSegment other(os::Attach(name, os::Access::kReadWrite));
  CHECK(DescriptorCount() == before);
}

TEST_CASE("S8: a full file system is ENOSPC from Create or Commit, and what there is stays") {
  if (!TheStage().private_mounts) {
    MESSAGE("skipped: needs a mount of its own");
    return;
  }
  Child child([] {
    SHMKIT_EXPECT(unshare(CLONE_NEWNS) == 0);
    SHMKIT_EXPECT(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    SHMKIT_EXPECT(mount("tmpfs", kSegmentDirectory, "tmpfs", 0, "size=1m") == 0);
    const Name name;
    SHMKIT_EXPECT(!os::Create(name, Growing(16 * kMiB, 2 * kMiB)).ok());
    SHMKIT_EXPECT(EntriesOf(kSegmentDirectory).empty());
    const os::Result<os::Segment> made = os::Create(name, Growing(16 * kMiB, kPage));
    SHMKIT_EXPECT(made.ok());
    auto* bytes = static_cast<uint8_t*>(made.value().address);
    bytes[0] = 42;
    const size_t before = FreeBytes();
    SHMKIT_EXPECT(ErrorOf(os::Commit(made.value(), kPage, 2 * kMiB)) == ENOSPC);
    SHMKIT_EXPECT(FreeBytes() == before);
    SHMKIT_EXPECT(bytes[0] == 42);
    SHMKIT_EXPECT(os::Commit(made.value(), kPage, kMiB / 2).ok());
    bytes[kMiB / 2] = 1;
    os::Unmap(made.value());
    return os::Unlink(name).ok();
  });
  CHECK(child.Succeeds());
}

TEST_CASE("an object that grows does so through any reference, inside its size") {
  const Name name;
  constexpr size_t kData = 8 * kMiB;
  const Handle made(name, Disposition::kCreate, GrowingContents(kData, kPage));
  const size_t size = made->shape().size;
  CHECK(size == kHeaderBytes + kData);
  CHECK(made->Commit(kPage, kMiB).ok());
  made->mapping()->bytes()[kMiB] = 3;
  const Handle attached(name, Disposition::kAttach, GrowingContents(0, 1));
  CHECK(attached.get() == made.get());
  CHECK(attached->mapping()->bytes()[kMiB] == 3);
  CHECK(attached->Commit(size - kPage, kPage).ok());
  CHECK(ErrorOf(attached->Commit(size - kPage, kPage + 1)) == EINVAL);
  CHECK(ErrorOf(attached->Commit(size + 1, 1)) == EINVAL);
  CHECK(ErrorOf(attached->Commit(0, SIZE_MAX)) == EINVAL);
  CHECK(ErrorOf(attached->Commit(0, 0)) == EINVAL);
}

TEST_CASE("an object that does not grow is EINVAL to commit") {
  const Name name;
  const Handle made(name, Disposition::kCreate);
  CHECK(ErrorOf(made->Commit(0, 1)) == EINVAL);
}

TEST_CASE("an object that grows in another process is there for this one") {
  const Name name;
  const Handle made(name, Disposition::kCreate, GrowingContents(8 * kMiB, kPage));
  Child child([&] {
    const os::Result<os::Segment> found = os::Attach(name, os::Access::kGrowing);
    SHMKIT_EXPECT(found.ok());
    SHMKIT_EXPECT(os::Commit(found.value(), 4 * kMiB, kPage).ok());
    static_cast<uint8_t*>(found.value().address)[4 * kMiB] = 9;
    return true;
  });
  REQUIRE(child.Succeeds());
  CHECK(made->mapping()->bytes()[4 * kMiB] == 9);
}

TEST_SUITE_END();

}  // namespace shmkit::test
