// Segments on Linux: files of the tmpfs at /dev/shm, which is what glibc's shm_open and CPython's
// shared_memory use. Opened by path, because an unnamed file that is linked into place when it is
// finished (open(2), O_TMPFILE) is the only creation that a kill cannot leave half-made (S2).
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <optional>

#include "mapping_posix.h"
#include "segment.h"

namespace shmkit::os {

namespace {

constexpr char kDirectory[] = "/dev/shm";

// Reserving so little costs no more than a look at the name.
constexpr size_t kSmallBytes = 1 << 20;

std::string PathOf(const std::string& name) { return std::string(kDirectory) + '/' + name; }

// Sets the size as well, where that is less. On failure a tmpfs undoes what it has reserved.
Status Reserve(int fd, size_t offset, size_t bytes) {
  std::optional<SignalsBlocked> undisturbed;
  if (bytes > kSmallBytes) undisturbed.emplace();
  int result;
  do result = fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(bytes));
  while (result != 0 && errno == EINTR);
  if (result != 0) return Failure{errno, "fallocate"};
  return Nothing{};
}

// Gives a new file its size and, unless sparse, its pages (S3), or the first of them (S8).
Status Resize(int fd, const CreateOptions& options) {
  if (options.sparse || options.first_bytes > 0) {
    if (ftruncate(fd, static_cast<off_t>(options.size)) != 0) return Failure{errno, "ftruncate"};
    if (options.sparse) return Nothing{};
  }
  return Reserve(fd, 0, options.first_bytes > 0 ? options.first_bytes : options.size);
}

Status Publish(int fd, const std::string& name) {
  // The descriptor's own /proc link is the one way to name it that needs no capability.
  char source[32];
  snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
  if (linkat(AT_FDCWD, source, AT_FDCWD, PathOf(name).c_str(), AT_SYMLINK_FOLLOW) != 0) {
    return Failure{errno, "linkat"};
  }
  return Nothing{};
}

}  // namespace

const bool kPublishesWhole = true;
const size_t kNameLimitBytes = 255;

Result<Segment> Create(const std::string& name, const CreateOptions& options,
                       const Initializer* initializer) {
  // A name that is taken is found out before much memory is reserved for nothing; linkat decides.
  if (options.size > kSmallBytes && ::access(PathOf(name).c_str(), F_OK) == 0) {
    return Failure{EEXIST, "access"};
  }

  const Descriptor fd(open(kDirectory, O_TMPFILE | O_RDWR | O_CLOEXEC, options.mode));
  if (!fd.valid()) return Failure{errno, "open"};
  if (fchmod(fd.get(), options.mode) != 0) return Failure{errno, "fchmod"};
  if (Status sized = Resize(fd.get(), options); !sized.ok()) return sized.failure();

  const Access access = options.first_bytes > 0 ? Access::kGrowing : Access::kReadWrite;
  Result<Segment> mapped = MapDescriptor(fd.get(), access);
  if (!mapped.ok()) return mapped;
  Status ready = initializer ? initializer->fill(mapped.value().address, initializer->context)
                             : Status(Nothing{});
  if (ready.ok()) ready = Publish(fd.get(), name);
  if (!ready.ok()) {
    Unmap(mapped.value());
    return ready.failure();
  }
  return mapped;
}

Result<Segment> Attach(const std::string& name, Access access) {
  const int flags = access == Access::kReadOnly ? O_RDONLY : O_RDWR;
  // Not following links, as shm_open; not blocking, should the name be somebody's FIFO.
  const Descriptor fd(open(PathOf(name).c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return Failure{errno, "open"};
  return MapDescriptor(fd.get(), access);
}

Status Commit(const Segment& segment, size_t offset, size_t bytes) {
  return Reserve(GrowthDescriptor(segment), offset, bytes);
}

Status Unlink(const std::string& name, const Identity* only_if) {
  const std::string path = PathOf(name);
  if (only_if) {
    struct stat status;
    if (lstat(path.c_str(), &status) != 0) return Failure{errno, "unlink"};
    if (!(Identity{status.st_dev, status.st_ino} == *only_if)) return Failure{ENOENT, "unlink"};
  }
  if (unlink(path.c_str()) != 0) return Failure{errno, "unlink"};
  return Nothing{};
}

Result<std::vector<Listing>> List() {
  DIR* directory = opendir(kDirectory);
  if (!directory) return Failure{errno, "opendir"};
  std::vector<Listing> all;
  while (const dirent* entry = readdir(directory)) {
    struct stat status;
    // One that vanished meanwhile is simply not there.
    if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(status.st_mode)) continue;
    all.push_back({entry->d_name, static_cast<uint64_t>(status.st_size),
                   static_cast<unsigned>(status.st_mode & 07777), status.st_uid});
  }
  closedir(directory);
  return all;
}

}  // namespace shmkit::os
