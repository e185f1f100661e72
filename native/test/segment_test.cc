// The contract of os/segment.h.
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <time.h>

#include <algorithm>
#include <thread>

#include "support.h"

namespace shmkit::test {

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kMiB = size_t{1} << 20;

struct stat StatusOf(const Name& name) {
  struct stat status{};
  REQUIRE(lstat(name.path().c_str(), &status) == 0);
  return status;
}

template <class T>
int ErrorOf(const os::Result<T>& result) {
  return result.ok() ? 0 : result.failure().error;
}

os::CreateOptions Plain(size_t size) { return {size, 0600, /*sparse=*/false}; }

constexpr uint8_t kPattern = 0xa5;

os::Status FillWithPattern(void* memory, void* size) {
  memset(memory, kPattern, *static_cast<size_t*>(size));
  return os::Nothing{};
}

}  // namespace

TEST_SUITE_BEGIN("segment");

TEST_CASE("S1: a new segment has its size, zeroes and the permissions asked for") {
  const Name name;
  const mode_t before = umask(077);
  const MappedSegment made(os::Create(name, {kPage + 1, 0666, false}));
  umask(before);
  CHECK(made.size() == kPage + 1);
  CHECK(made[0] == 0);
  CHECK(made[kPage] == 0);
  CHECK((StatusOf(name).st_mode & 07777) == 0666);
}

TEST_CASE("S1: creating a name that is taken is EEXIST and leaves its segment as it was") {
  const Name name;
  const MappedSegment made(os::Create(name, Plain(kPage)));
  made[0] = 42;
  CHECK(ErrorOf(os::Create(name, Plain(2 * kPage))) == EEXIST);
  const MappedSegment again(os::Attach(name, os::Access::kReadWrite));
  CHECK(again.size() == kPage);
  CHECK(again[0] == 42);
  CHECK(again.segment().identity == made.segment().identity);
}

TEST_CASE("S1: of sixteen processes that create one name, one succeeds and the others get EEXIST") {
  constexpr uint32_t kRacers = 16;
  for (int round = 0; round < 12; ++round) {
    const Name name;
    const Signal ready;
    const Signal start;
    const Shared<std::atomic<uint32_t>> winners;
    std::vector<Child> racers;
    for (uint32_t each = 0; each < kRacers; ++each) {
      racers.emplace_back([&] {
        ready.Raise();
        start.Await();
        const os::Result<os::Segment> made = os::Create(name, Plain(kPage));
        if (made.ok()) {
          ++*winners;
          return true;
        }
        return made.failure().error == EEXIST;
      });
    }
    ready.Await(kRacers);
    start.Raise();
    for (Child& racer : racers) CHECK(racer.Succeeds());
    CHECK(*winners == 1);
  }
}

TEST_CASE("S1: a size that cannot be is an error that leaves no name") {
  const Name name;
  CHECK(ErrorOf(os::Create(name, Plain(0))) == EINVAL);
  CHECK(ErrorOf(os::Create(name, Plain(SIZE_MAX))) != 0);
  CHECK_FALSE(name.Exists());
}

TEST_CASE("S1: the longest name works, and one that is much too long is an error") {
  const Name name;
  const std::string rest(os::kNameLimitBytes - name.text().size(), 'n');
  const std::string longest = name.text() + rest;
  CHECK(MappedSegment(os::Create(longest, Plain(kPage))).size() >= kPage);
  CHECK(MappedSegment(os::Attach(longest, os::Access::kReadWrite)).size() >= kPage);
  CHECK(os::Unlink(longest).ok());
  // Which one, shm_open and open see differently; callers look at the limit.
  CHECK_FALSE(os::Create(longest + rest, Plain(kPage)).ok());
  CHECK_FALSE(os::Attach(longest + rest, os::Access::kReadWrite).ok());
}

TEST_CASE("S2: processes that attach while others create never see a half-made segment") {
  constexpr uint32_t kRounds = 30;
  constexpr uint32_t kAttachers = 3;
  const Name name;
  const Signal gone;
  const Signal seen;
  size_t size = 64 * kPage;
  std::vector<Child> attachers;
  for (uint32_t each = 0; each < kAttachers; ++each) {
    attachers.emplace_back([&] {
      for (uint32_t round = 0; round < kRounds; ++round) {
        os::Result<os::Segment> found = os::Attach(name, os::Access::kReadWrite);
        while (!found.ok()) {
          SHMKIT_EXPECT(found.failure().error == ENOENT);
          found = os::Attach(name, os::Access::kReadWrite);
        }
        SHMKIT_EXPECT(found.value().size == size);
        if (os::kPublishesWhole) {
          const auto* bytes = static_cast<const uint8_t*>(found.value().address);
          SHMKIT_EXPECT(std::all_of(bytes, bytes + size, [](uint8_t b) { return b == kPattern; }));
        }
        os::Unmap(found.value());
        seen.Raise();
        gone.Await(round + 1);
      }
      return true;
    });
  }
  for (uint32_t round = 0; round < kRounds; ++round) {
    const os::Initializer initializer{FillWithPattern, &size};
    const MappedSegment made(os::Create(name, Plain(size), &initializer));
    seen.Await(kAttachers * (round + 1));
    CHECK(os::Unlink(name).ok());
    gone.Raise();
  }
  for (Child& attacher : attachers) CHECK(attacher.Succeeds());
}

TEST_CASE("S2: an initializer that fails leaves nothing, and its failure is the creation's") {
  const Name name;
  const os::Initializer refuse{[](void*, void*) -> os::Status { return os::Failure{EIO, "fill"}; },
                               nullptr};
  const size_t descriptors = DescriptorCount();
  const os::Result<os::Segment> made = os::Create(name, Plain(kPage), &refuse);
  REQUIRE_FALSE(made.ok());
  CHECK(made.failure().error == EIO);
  CHECK(std::string(made.failure().call) == "fill");
  CHECK_FALSE(name.Exists());
  CHECK(DescriptorCount() == descriptors);
}

TEST_CASE(
    "S2: where a segment is seen before it is finished, the last step of its creation decides") {
  if (os::kPublishesWhole) {
    MESSAGE("skipped: this mechanism shows no segment before it is finished");
    return;
  }
  struct Scene {
    const Name name;
    bool committed = false;
  } scene;
  const auto fill = [](void*, void*) -> os::Status { return os::Nothing{}; };
  const size_t descriptors = DescriptorCount();

  SUBCASE("others use it from then on, and may remove its name at once") {
    const auto remove = [](void*, void* of) {
      return os::Unlink(static_cast<Scene*>(of)->name).ok();
    };
    const os::Initializer initializer{fill, &scene, remove};
    CHECK(MappedSegment(os::Create(scene.name, Plain(kPage), &initializer)).size() == kPage);
    CHECK_FALSE(scene.name.Exists());
  }
  SUBCASE("others have given it up") {
    const os::Initializer initializer{fill, nullptr, [](void*, void*) { return false; }};
    CHECK(ErrorOf(os::Create(scene.name, Plain(kPage), &initializer)) == EEXIST);
    CHECK(DescriptorCount() == descriptors);
  }
  SUBCASE("its name was lost before") {
    const auto lose = [](void*, void* of) { return os::Unlink(static_cast<Scene*>(of)->name); };
    const auto commit = [](void*, void* of) { return static_cast<Scene*>(of)->committed = true; };
    const os::Initializer initializer{lose, &scene, commit};
    CHECK(ErrorOf(os::Create(scene.name, Plain(kPage), &initializer)) == EEXIST);
    CHECK_FALSE(scene.committed);
  }
}

TEST_CASE("S2: a creator killed in the middle leaves no name and no memory") {
  if (!os::kPublishesWhole) {
    MESSAGE("skipped: this mechanism does not publish whole objects");
    return;
  }
  const Name name;
  struct statvfs before{};
  statvfs(kSegmentDirectory, &before);
  Child creator([&] {
    const os::Initializer suicide{[](void*, void*) -> os::Status {
                                    kill(getpid(), SIGKILL);
                                    return os::Nothing{};
                                  },
                                  nullptr};
    return os::Create(name, Plain(4 * kMiB), &suicide).ok();
  });
  CHECK(creator.DiesOf(SIGKILL));
  CHECK_FALSE(name.Exists());
  if (TheStage().private_mounts) {
    struct statvfs after{};
    statvfs(kSegmentDirectory, &after);
    CHECK(after.f_bfree == before.f_bfree);
  }
  CHECK(MappedSegment(os::Create(name, Plain(kPage))).size() == kPage);
}

TEST_CASE("S2: what a creator left that died before it gave a size is cleared after the grace") {
  if (os::kPublishesWhole) {
    MESSAGE("skipped: this mechanism never shows an object without a size");
    return;
  }
  const Name name;
  close(shm_open(('/' + name.text()).c_str(), O_CREAT | O_EXCL | O_RDWR, 0600));
  REQUIRE(name.Exists());
  const size_t descriptors = DescriptorCount();
  const Stopwatch watch;
  CHECK(ErrorOf(os::Attach(name, os::Access::kReadWrite)) == ENOENT);
  CHECK(watch.milliseconds() >= 1000);
  CHECK_FALSE(name.Exists());
  CHECK(DescriptorCount() == descriptors);
  CHECK(MappedSegment(os::Create(name, Plain(kPage))).size() == kPage);
}

TEST_CASE("S2: several that wait for a creator which died clear what it left, and no successor") {
  if (os::kPublishesWhole) {
    MESSAGE("skipped: this mechanism never shows an object without a size");
    return;
  }
  const Name name;
  const Signal ready;
  close(shm_open(('/' + name.text()).c_str(), O_CREAT | O_EXCL | O_RDWR, 0600));
  // Opens the corpse, and looks at it for the last time when the other has replaced it.
  Child late([&] {
    ready.Raise();
    const os::Result<os::Segment> found = os::Attach(name, os::Access::kReadWrite);
    return !found.ok() && found.failure().error == ENOENT;
  });
  ready.Await();
  late.AwaitAsleep();
  REQUIRE(os::Unlink(name).ok());
  const MappedSegment successor(os::Create(name, Plain(kPage)));
  CHECK(late.Succeeds());
  CHECK(name.Exists());
}

TEST_CASE("S2: an attacher waits for a creator that is at work") {
  if (os::kPublishesWhole) {
    MESSAGE("skipped: this mechanism never shows an object without a size");
    return;
  }
  const Name name;
  const Signal ready;
  const int fd = shm_open(('/' + name.text()).c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
  Child attacher([&] {
    ready.Raise();
    const os::Result<os::Segment> found = os::Attach(name, os::Access::kReadWrite);
    return found.ok() && found.value().size == kPage;
  });
  ready.Await();
  attacher.AwaitAsleep();
  CHECK(ftruncate(fd, kPage) == 0);
  close(fd);
  CHECK(attacher.Succeeds());
}

TEST_CASE("S3: pages are reserved at creation") {
  const Name name;
  const MappedSegment made(os::Create(name, Plain(kMiB)));
  CHECK(static_cast<size_t>(StatusOf(name).st_blocks) * 512 >= kMiB);
}

TEST_CASE("S3: a sparse segment takes no page before it is touched") {
  const Name name;
  const MappedSegment made(os::Create(name, {size_t{1} << 36, 0600, /*sparse=*/true}));
  CHECK(StatusOf(name).st_blocks == 0);
  made[made.size() - 1] = 1;
  CHECK(static_cast<size_t>(StatusOf(name).st_blocks) * 512 == kPage);
}

TEST_CASE("S3: a lack of memory is ENOSPC at creation, and what was made is rolled back") {
  if (!TheStage().private_mounts) {
    MESSAGE("skipped: mounting a small /dev/shm needs root");
    return;
  }
  const Name name;
  Child child([&] {
    SHMKIT_EXPECT(unshare(CLONE_NEWNS) == 0);
    SHMKIT_EXPECT(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    SHMKIT_EXPECT(mount("tmpfs", kSegmentDirectory, "tmpfs", 0, "size=1m") == 0);
    const size_t descriptors = DescriptorCount();
    const os::Result<os::Segment> made = os::Create(name, Plain(2 * kMiB));
    SHMKIT_EXPECT(!made.ok());
    SHMKIT_EXPECT(made.failure().error == ENOSPC);
    SHMKIT_EXPECT(!name.Exists());
    SHMKIT_EXPECT(DescriptorCount() == descriptors);
    struct statvfs space{};
    SHMKIT_EXPECT(statvfs(kSegmentDirectory, &space) == 0);
    SHMKIT_EXPECT(space.f_bfree == space.f_blocks);

    // What fits still fits, to its last byte; what is sparse promises nothing.
    const os::Result<os::Segment> fits = os::Create(name, Plain(kMiB));
    SHMKIT_EXPECT(fits.ok());
    memset(fits.value().address, 1, kMiB);
    os::Unmap(fits.value());
    SHMKIT_EXPECT(os::Unlink(name).ok());
    SHMKIT_EXPECT(os::Create(name, {2 * kMiB, 0600, true}).ok());
    return true;
  });
  CHECK(child.Succeeds());
}

TEST_CASE("S3: a reservation is made under a hail of signals") {
  const Name name;
  Child child([&] {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, nullptr);
    // As a sampling profiler does.
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    timer_t timer;
    SHMKIT_EXPECT(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    const itimerspec every{{0, 1000000}, {0, 1000000}};
    SHMKIT_EXPECT(timer_settime(timer, 0, &every, nullptr) == 0);
    SHMKIT_EXPECT(os::Create(name, Plain(64 * kMiB)).ok());
    sigset_t blocked;
    SHMKIT_EXPECT(pthread_sigmask(SIG_BLOCK, nullptr, &blocked) == 0);
    return sigismember(&blocked, SIGUSR1) == 0;
  });
  CHECK(child.Succeeds());
}

TEST_CASE("S4: unlinking takes the name, and a name that is not there is ENOENT") {
  const Name name;
  const MappedSegment made(os::Create(name, Plain(kPage)));
  CHECK(os::Unlink(name).ok());
  CHECK_FALSE(name.Exists());
  CHECK(ErrorOf(os::Unlink(name)) == ENOENT);
  CHECK(ErrorOf(os::Unlink(name, &made.segment().identity)) == ENOENT);
  CHECK(ErrorOf(os::Attach(name, os::Access::kReadWrite)) == ENOENT);
}

TEST_CASE("S4: unlinking by identity takes that object's name and no other's") {
  const Name name;
  const MappedSegment first(os::Create(name, Plain(kPage)));
  REQUIRE(os::Unlink(name).ok());
  const MappedSegment second(os::Create(name, Plain(kPage)));
  CHECK_FALSE(first.segment().identity == second.segment().identity);
  CHECK(ErrorOf(os::Unlink(name, &first.segment().identity)) == ENOENT);
  CHECK(name.Exists());
  CHECK(os::Unlink(name, &second.segment().identity).ok());
  CHECK_FALSE(name.Exists());
}

TEST_CASE("S5: a mapping outlives its name") {
  const Name name;
  const MappedSegment made(os::Create(name, Plain(kPage)));
  const MappedSegment other(os::Attach(name, os::Access::kReadWrite));
  REQUIRE(os::Unlink(name).ok());
  made[10] = 99;
  CHECK(other[10] == 99);
}

TEST_CASE("S5: what one process writes, another reads") {
  const Name name;
  const MappedSegment made(os::Create(name, Plain(kPage)));
  Child writer([&] {
    const os::Result<os::Segment> found = os::Attach(name, os::Access::kReadWrite);
    SHMKIT_EXPECT(found.ok());
    static_cast<uint8_t*>(found.value().address)[kPage - 1] = 17;
    return true;
  });
  CHECK(writer.Succeeds());
  CHECK(made[kPage - 1] == 17);
}

TEST_CASE("S5: neither success nor failure keeps a descriptor") {
  const size_t before = DescriptorCount();
  {
    const Name name;
    const MappedSegment made(os::Create(name, Plain(kPage)));
    CHECK(DescriptorCount() == before);
    const MappedSegment other(os::Attach(name, os::Access::kReadWrite));
    const MappedSegment reader(os::Attach(name, os::Access::kReadOnly));
    CHECK(DescriptorCount() == before);
    CHECK(ErrorOf(os::Create(name, Plain(kPage))) == EEXIST);
    CHECK(ErrorOf(os::Attach(name.text() + "-not", os::Access::kReadWrite)) == ENOENT);
    CHECK(ErrorOf(os::Unlink(name, &made.segment().identity)) == 0);
    (void)os::List();
    CHECK(DescriptorCount() == before);
  }
  const Name name;
  CHECK(ErrorOf(os::Create(name, Plain(0))) == EINVAL);
  CHECK(DescriptorCount() == before);
}

TEST_CASE("S6: writes to an overlaid range neither crash nor reach the segment") {
  const Name name;
  MappedSegment made(os::Create(name, Plain(2 * kPage)));
  const MappedSegment other(os::Attach(name, os::Access::kReadWrite));
  made[0] = 1;
  const os::Segment overlaid = made.Surrender();
  CHECK(os::Overlay(overlaid));
  memset(overlaid.address, 7, overlaid.size);
  CHECK(other[0] == 1);
  CHECK(other[2 * kPage - 1] == 0);

  os::Drain(overlaid);
  const auto* bytes = static_cast<const uint8_t*>(overlaid.address);
  CHECK(std::all_of(bytes, bytes + overlaid.size, [](uint8_t byte) { return byte == 0; }));
  os::GiveBack(overlaid);
  CHECK_FALSE(IsMapped(overlaid.address));
}

TEST_CASE("S6: a thread that writes while the segment is overlaid neither crashes nor reaches it") {
  if (kThreadSanitizer) {
    MESSAGE("skipped: a write in the middle of an overlay is the very race that is meant");
    return;
  }
  const Name name;
  for (int round = 0; round < 20; ++round) {
    MappedSegment made(os::Create(name, Plain(kPage)));
    const MappedSegment other(os::Attach(name, os::Access::kReadWrite));
    REQUIRE(os::Unlink(name).ok());
    std::atomic<uint32_t> writes{0};
    std::atomic<bool> stop{false};
    const os::Segment segment = made.Surrender();
    auto* word = static_cast<std::atomic<uint32_t>*>(segment.address);
    std::thread writer([&] {
      while (!stop) word->store(++writes, std::memory_order_relaxed);
    });
    while (writes < 1000) Yield();
    CHECK(os::Overlay(segment));
    const uint32_t last = other.As<std::atomic<uint32_t>>();
    const uint32_t since = writes;
    while (writes < since + 1000) Yield();
    CHECK(other.As<std::atomic<uint32_t>>() == last);
    stop = true;
    writer.join();
    os::GiveBack(segment);
  }
}

TEST_CASE("S6: a read-only attach is overlaid like any other") {
  const Name name;
  const MappedSegment made(os::Create(name, Plain(kPage)));
  MappedSegment reader(os::Attach(name, os::Access::kReadOnly));
  made[0] = 3;
  const os::Segment overlaid = reader.Surrender();
  CHECK(os::Overlay(overlaid));
  static_cast<uint8_t*>(overlaid.address)[0] = 4;
  CHECK(made[0] == 3);
  os::GiveBack(overlaid);
}

TEST_CASE("S7: a read-only attach reads what others write") {
  const Name name;
  const MappedSegment made(os::Create(name, Plain(2 * kPage)));
  const MappedSegment reader(os::Attach(name, os::Access::kReadOnly));
  for (uint8_t value = 1; value < 10; ++value) {
    made[5] = value;
    CHECK(reader[5] == value);
  }
}

TEST_CASE("S7: a write through a read-only attach stays private to its page and does not fault") {
  const Name name;
  const MappedSegment made(os::Create(name, Plain(2 * kPage)));
  const MappedSegment reader(os::Attach(name, os::Access::kReadOnly));
  const MappedSegment other(os::Attach(name, os::Access::kReadOnly));
  reader[5] = 66;
  CHECK(reader[5] == 66);
  CHECK(made[5] == 0);
  CHECK(other[5] == 0);
  made[kPage] = 1;
  CHECK(reader[kPage] == 1);
}

TEST_CASE("S7: who may only read attaches read-only, and gets EACCES for more") {
  if (geteuid() != 0) {
    MESSAGE("skipped: becoming somebody else needs root");
    return;
  }
  const Name name;
  const MappedSegment made(os::Create(name, {kPage, 0604, false}));
  made[0] = 5;
  Child stranger([&] {
    constexpr uid_t kNobody = 65534;
    SHMKIT_EXPECT(setgid(kNobody) == 0 && setuid(kNobody) == 0);
    SHMKIT_EXPECT(ErrorOf(os::Attach(name, os::Access::kReadWrite)) == EACCES);
    const os::Result<os::Segment> found = os::Attach(name, os::Access::kReadOnly);
    SHMKIT_EXPECT(found.ok());
    SHMKIT_EXPECT(*static_cast<const uint8_t*>(found.value().address) == 5);
    *static_cast<uint8_t*>(found.value().address) = 6;
    return true;
  });
  CHECK(stranger.Succeeds());
  CHECK(made[0] == 5);
}

TEST_CASE("a listing tells name, size, permissions and owner, or that the system does not tell") {
  const Name name;
  const MappedSegment made(os::Create(name, {12345, 0640, false}));
  const Name directory;
  REQUIRE(mkdir(directory.path().c_str(), 0700) == 0);
  const os::Result<std::vector<os::Listing>> all = os::List();
  if (!all.ok()) {
    CHECK(all.failure().error == ENOTSUP);
    return;
  }
  size_t found = 0;
  for (const os::Listing& each : all.value()) {
    CHECK(each.name != directory.text());
    if (each.name != name.text()) continue;
    ++found;
    CHECK(each.size == 12345);
    CHECK(each.mode == 0640);
    CHECK(each.uid == geteuid());
  }
  CHECK(found == 1);
}

TEST_CASE("an empty file under the name is EINVAL") {
  if (!os::kPublishesWhole) {
    MESSAGE("skipped: to this mechanism, an empty object is one whose creator is at work");
    return;
  }
  const Name name;
  close(open(name.path().c_str(), O_CREAT | O_EXCL | O_RDWR, 0600));
  CHECK(ErrorOf(os::Attach(name, os::Access::kReadWrite)) == EINVAL);
  CHECK(ErrorOf(os::Attach(name, os::Access::kReadOnly)) == EINVAL);
  CHECK(name.Exists());
}

TEST_CASE("what is no segment under the name is an error, not a hang, and stays") {
  if (!os::kPublishesWhole) {
    MESSAGE("skipped: shm_open decides by itself what it opens");
    return;
  }
  const Name name;
  SUBCASE("a FIFO") { REQUIRE(mkfifo(name.path().c_str(), 0600) == 0); }
  SUBCASE("a directory") { REQUIRE(mkdir(name.path().c_str(), 0700) == 0); }
  SUBCASE("a symbolic link to nowhere") { REQUIRE(symlink("nowhere", name.path().c_str()) == 0); }
  SUBCASE("a symbolic link to a file") {
    REQUIRE(symlink("/proc/self/exe", name.path().c_str()) == 0);
  }
  const size_t descriptors = DescriptorCount();
  CHECK_FALSE(os::Attach(name, os::Access::kReadWrite).ok());
  CHECK_FALSE(os::Attach(name, os::Access::kReadOnly).ok());
  CHECK(ErrorOf(os::Create(name, Plain(kPage))) == EEXIST);
  CHECK(name.Exists());
  CHECK(DescriptorCount() == descriptors);
}

TEST_SUITE_END();

}  // namespace shmkit::test
