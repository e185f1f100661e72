// Segments on Linux: files in the tmpfs at /dev/shm, which glibc's shm_open and CPython's
// shared_memory use, too. They are opened by path. The reason is that an unnamed file which is
// linked to its name when it is finished (open(2), O_TMPFILE) is the only creation that a kill
// cannot leave half-made (S2). If there are no unnamed files, unfinished_linux.h is the next best.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <optional>
#include <set>

#include "map_limit_linux.h"
#include "mapping_posix.h"
#include "segment.h"
#include "unfinished_linux.h"

namespace shmkit::os {

namespace {

constexpr char kDirectory[] = "/dev/shm";

// To reserve so little costs no more than to check the name.
constexpr size_t kSmallBytes = 1 << 20;

// From this size on, it is worth checking whether the process may ever have so much.
constexpr size_t kLargeBytes = 1 << 24;

// File systems have no larger blocks.
constexpr size_t kMostBlockBytes = 4096;

// False if this process has found that unnamed files are not available.
std::atomic<bool> has_unnamed{true};

std::string PathOf(const std::string& name) {
  return name[0] == '/' ? name : std::string(kDirectory) + '/' + name;
}

// The same text, which stays: failures refer to it. There are few directories.
const char* Kept(const std::string& directory) {
  static std::mutex guard;
  static auto* all = new std::set<std::string>;
  const std::lock_guard<std::mutex> guarded(guard);
  return all->insert(directory).first->c_str();
}

const char* DirectoryOf(const std::string& name) {
  if (name[0] != '/') return kDirectory;
  return Kept(name.substr(0, std::max<size_t>(name.rfind('/'), 1)));
}

// Whether the directory is the reason why a call on a file in it has failed.
bool IsDirectoryAtFault(const char* directory, int error, int wanted) {
  switch (error) {
    case ENOENT:
      return access(directory, F_OK) != 0;
    case EACCES:
      return faccessat(AT_FDCWD, directory, wanted, AT_EACCESS) != 0;
    case ENOTDIR:
    case EROFS:
      return true;
    default:
      return false;
  }
}

// The failure of opening a file, or of removing one.
Failure FailureAt(const std::string& name, int error, const char* call, int wanted) {
  const char* const directory = DirectoryOf(name);
  return {error, call, IsDirectoryAtFault(directory, error, wanted) ? directory : nullptr};
}

// Does what fallocate does, if the file system has no such call (ramfs): writes one byte of each
// block, without changing it. No other thread changes these bytes in the meantime.
int ReserveByWriting(int fd, size_t offset, size_t bytes) {
  struct stat status;
  if (fstat(fd, &status) != 0) return errno;
  const size_t end = offset + bytes;
  const bool is_short = static_cast<size_t>(status.st_size) < end;
  if (is_short && ftruncate(fd, static_cast<off_t>(end)) != 0) return errno;
  struct statfs system;
  size_t step = kMostBlockBytes;
  if (fstatfs(fd, &system) == 0 && system.f_bsize > 0) {
    step = std::min(step, static_cast<size_t>(system.f_bsize));
  }
  for (size_t at = offset; at < end; at += step) {
    char byte = 0;
    if (pread(fd, &byte, 1, static_cast<off_t>(at)) < 0) return errno;
    if (pwrite(fd, &byte, 1, static_cast<off_t>(at)) < 0) return errno;
  }
  return 0;
}

// Refuses what the process can never have (S3). Files elsewhere are no memory: the system can write
// them to the disk.
Status CheckLimit(const char* directory, size_t bytes) {
  if (directory != kDirectory || bytes < kLargeBytes || bytes <= MemoryLimit()) return Nothing{};
  return Failure{ENOMEM, "fallocate", kDirectory, bytes};
}

// Also increases the size if it is smaller. On failure, a tmpfs undoes the reservation.
Status Reserve(const char* directory, int fd, size_t offset, size_t bytes) {
  if (Status allowed = CheckLimit(directory, bytes); !allowed.ok()) return allowed;
  int error = 0;
  {
    std::optional<SignalsBlocked> undisturbed;
    if (bytes > kSmallBytes) undisturbed.emplace();
    do error = fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(bytes)) ? errno : 0;
    while (error == EINTR);
  }
  if (error == EOPNOTSUPP || error == ENOSYS) error = ReserveByWriting(fd, offset, bytes);
  if (error != 0) return Failure{error, "fallocate", directory, bytes};
  return Nothing{};
}

// How many bytes of a new file get their memory before they are written.
size_t ReservedBytes(const CreateOptions& options) {
  if (options.shared_bytes > 0) return options.shared_bytes;
  return options.first_bytes > 0 ? options.first_bytes : options.size;
}

// Gives a new file its size and, unless sparse, its pages (S3), or the first of them (S8, S9).
Status Resize(const char* directory, int fd, const CreateOptions& options) {
  const size_t reserved = ReservedBytes(options);
  if (options.sparse || reserved < options.size) {
    if (ftruncate(fd, static_cast<off_t>(options.size)) != 0) return Failure{errno, "ftruncate"};
    if (options.sparse) return Nothing{};
  }
  return Reserve(directory, fd, 0, reserved);
}

// Maps a new file.
Result<Segment> Map(int fd, const CreateOptions& options) {
  if (options.shared_bytes == 0) {
    return MapDescriptor(fd, options.first_bytes > 0 ? Access::kGrowing : Access::kReadWrite);
  }
  return MapSealed(fd, options.shared_bytes);
}

// Refuses pieces for which there is obviously no room, so that they do not take all of it for a
// moment.
Status CheckRoom(const char* directory, int fd, const CreateOptions& options) {
  size_t bytes = 0;
  for (size_t i = 0; i < options.piece_count; ++i) bytes += options.pieces[i].length;
  struct statfs system;
  // A file system without a limit has no blocks.
  if (bytes < kLargeBytes || fstatfs(fd, &system) != 0 || system.f_blocks == 0) return Nothing{};
  if (bytes / static_cast<size_t>(system.f_bsize) <= system.f_bavail) return Nothing{};
  return Failure{ENOSPC, "pwrite", directory, options.size};
}

// Writes the pieces of a sealed segment. The system then gives it pages without clearing them
// before, and no access to memory faults. A lack of memory is ENOSPC.
Status WritePieces(const char* directory, int fd, const CreateOptions& options) {
  if (options.piece_count == 0) return Nothing{};
  if (Status allowed = CheckLimit(directory, options.size); !allowed.ok()) return allowed;
  if (Status fits = CheckRoom(directory, fd, options); !fits.ok()) return fits;
  for (size_t i = 0; i < options.piece_count; ++i) {
    const Piece& piece = options.pieces[i];
    const auto* from = static_cast<const char*>(piece.data);
    for (size_t done = 0; done < piece.length;) {
      const auto at = static_cast<off_t>(piece.at + done);
      const ssize_t written = pwrite(fd, from + done, piece.length - done, at);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        return Failure{written < 0 ? errno : ENOSPC, "pwrite", directory, options.size};
      }
      done += static_cast<size_t>(written);
    }
  }
  return Nothing{};
}

// Gives a new file everything that it must have when it gets its name.
Result<Segment> Furnish(const char* directory, int fd, const CreateOptions& options,
                        const Initializer* initializer) {
  if (Status sized = Resize(directory, fd, options); !sized.ok()) return sized.failure();
  Result<Segment> mapped = Map(fd, options);
  if (!mapped.ok()) return mapped;
  Status ready = initializer ? initializer->fill(mapped.value().address, initializer->context)
                             : Status(Nothing{});
  if (ready.ok()) ready = WritePieces(directory, fd, options);
  // This is the last step. Until then, the owner may read the file. If its creator dies, another
  // process of the same user can open the unfinished file, and so remove it (U3).
  if (ready.ok() && fchmod(fd, options.mode) != 0) ready = Failure{errno, "fchmod"};
  if (ready.ok()) return mapped;
  Unmap(mapped.value());
  return ready.failure();
}

// Whether an entry of /proc/PID/pagemap is a page of a file, or no page at all.
bool IsPageOfFile(uint64_t entry) {
  constexpr uint64_t kPresent = uint64_t{1} << 63;
  constexpr uint64_t kSwapped = uint64_t{1} << 62;
  constexpr uint64_t kOfFile = uint64_t{1} << 61;
  return (entry & kOfFile) != 0 || (entry & (kPresent | kSwapped)) == 0;
}

// Whether another call may be able to give the file a name.
bool IsWorthAnother(int error) {
  switch (error) {
    case EEXIST:
    case ENOSPC:
    case EDQUOT:
    case EROFS:
    case ENOMEM:
    case ENAMETOOLONG:
      return false;
    default:
      return true;
  }
}

// Names an unnamed file.
int Link(int fd, const std::string& path) {
  // The descriptor's own /proc link is the only way to name the file that needs no capability.
  char source[32];
  snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
  if (linkat(AT_FDCWD, source, AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0) return 0;
  const int error = errno;
  if (!IsWorthAnother(error)) return error;
  // If /proc is not mounted: by the descriptor itself. The kernel allows this since 6.10, or to
  // processes that may read everything. To others it says that there is no such file.
  if (linkat(fd, "", AT_FDCWD, path.c_str(), AT_EMPTY_PATH) == 0) return 0;
  return IsWorthAnother(errno) ? error : errno;
}

// Whether a file system that refuses a name with this error cannot name any unnamed file.
bool IsUnable(const char* directory, int error) {
  switch (error) {
    case ENOENT:  // there is no /proc, unless the directory was removed in the meantime
      return !IsDirectoryAtFault(directory, error, W_OK | X_OK);
    case EPERM:  // there are no links
    case EINVAL:
    case ENOSYS:
    case EOPNOTSUPP:
    case EXDEV:
      return true;
    default:
      return false;
  }
}

Failure NotNamed(const char* directory, int error, const char* call) {
  return {error, call, error == EEXIST ? nullptr : directory};
}

// The error of CreateUnnamed if unnamed files do not work here, but CreateNamed may work.
constexpr int kAnotherWay = 0;

Result<int> OpenUnnamed(const char* directory) {
  const int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  // A system that does not know the flag treats it as the flag for directories (EISDIR).
  const bool is_unknown = errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL;
  return Failure{is_unknown ? kAnotherWay : errno, "open", directory};
}

// Furnishes an unnamed file, and names it.
Result<Segment> Finish(int fd, const std::string& name, const CreateOptions& options,
                       const Initializer* initializer) {
  const char* const directory = DirectoryOf(name);
  Result<Segment> made = Furnish(directory, fd, options, initializer);
  if (!made.ok()) return made;
  const int error = Link(fd, PathOf(name));
  if (error == 0) return made;
  Unmap(made.value());
  // In the usual place, there is another way, whatever the reason is.
  const bool is_elsewhere = name[0] == '/';
  const bool is_unable = is_elsewhere ? IsUnable(directory, error) : IsWorthAnother(error);
  return NotNamed(directory, is_unable ? kAnotherWay : error, "linkat");
}

Result<Segment> CreateUnnamed(const std::string& name, const CreateOptions& options,
                              const Initializer* initializer) {
  const Result<int> opened = OpenUnnamed(DirectoryOf(name));
  if (!opened.ok()) return opened.failure();
  const Descriptor fd(opened.value());
  return Finish(fd.get(), name, options, initializer);
}

int DescriptorOf(const Draft& draft) {
  return static_cast<int>(reinterpret_cast<intptr_t>(draft.file) - 1);
}

Result<Segment> CreateNamed(const std::string& path, const CreateOptions& options,
                            const Initializer* initializer) {
  char first_path[kUnfinishedPathBytes];
  const int made_fd = MakeUnfinished(first_path);
  if (made_fd < 0) return Failure{-made_fd, "open", kDirectory};
  const Descriptor fd(made_fd);
  Result<Segment> made = Furnish(kDirectory, fd.get(), options, initializer);
  if (made.ok() && link(first_path, path.c_str()) != 0) {
    const int error = errno;
    Unmap(made.value());
    made = NotNamed(kDirectory, error, "link");
  }
  unlink(first_path);
  return made;
}

// Cleans up after dead creators: the first time, and when there is too little room.
Result<Segment> CreateNamedTidily(const std::string& path, const CreateOptions& options,
                                  const Initializer* initializer) {
  static std::atomic<bool> is_tidy{false};
  if (!is_tidy.exchange(true)) RemoveLeft();
  for (;;) {
    Result<Segment> made = CreateNamed(path, options, initializer);
    if (made.ok() || made.failure().error != ENOSPC || !RemoveLeft()) return made;
  }
}

}  // namespace

const bool kPublishesWhole = true;
const size_t kNameLimitBytes = 255;
const char* const kPlace = kDirectory;

Result<Segment> Create(const std::string& name, const CreateOptions& options,
                       const Initializer* initializer) {
  const std::string path = PathOf(name);
  if (Status allowed = CheckMappings(MappedFor::kCreation); !allowed.ok()) return allowed.failure();
  // This only prevents that much memory is reserved for nothing if the name is taken already.
  // Whether the name is free is decided later, by linkat or link.
  if (options.size > kSmallBytes && access(path.c_str(), F_OK) == 0) {
    return Failure{EEXIST, "access"};
  }
  const bool is_elsewhere = name[0] == '/';
  if (options.draft) {
    if (options.size < options.draft->size) return Failure{EINVAL, "ftruncate"};
    // Removes what an earlier attempt has written behind the draft.
    const auto size = static_cast<off_t>(options.draft->size);
    if (ftruncate(DescriptorOf(*options.draft), size) != 0) return Failure{errno, "ftruncate"};
  }
  if (options.draft || is_elsewhere || has_unnamed.load(std::memory_order_relaxed)) {
    Result<Segment> made = options.draft
                               ? Finish(DescriptorOf(*options.draft), name, options, initializer)
                               : CreateUnnamed(name, options, initializer);
    if (made.ok() || made.failure().error != kAnotherWay) return made;
    // There are no other ways for these.
    if (options.draft || is_elsewhere) {
      return Failure{ENOTSUP, made.failure().call, made.failure().place};
    }
    has_unnamed.store(false, std::memory_order_relaxed);
  }
  return CreateNamedTidily(path, options, initializer);
}

Result<Segment> Attach(const std::string& name, Access access, size_t probably_shared) {
  const int flags = access == Access::kReadOnly ? O_RDONLY : O_RDWR;
  // Does not follow links, like shm_open. Does not block if the name is a FIFO of another program.
  const Descriptor fd(open(PathOf(name).c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return FailureAt(name, errno, "open", X_OK);
  if (Status allowed = CheckMappings(MappedFor::kUse); !allowed.ok()) return allowed.failure();
  return MapDescriptor(fd.get(), access, probably_shared);
}

Status Commit(const Segment& segment, size_t offset, size_t bytes) {
  return Reserve(kDirectory, GrowthDescriptor(segment), offset, bytes);
}

Status Unlink(const std::string& name, const Identity* only_if) {
  const std::string path = PathOf(name);
  if (only_if) {
    struct stat status;
    if (lstat(path.c_str(), &status) != 0) return FailureAt(name, errno, "unlink", X_OK);
    if (!(Identity{status.st_dev, status.st_ino} == *only_if)) return Failure{ENOENT, "unlink"};
  }
  if (unlink(path.c_str()) != 0) return FailureAt(name, errno, "unlink", W_OK | X_OK);
  return Nothing{};
}

Result<Draft> BeginDraft(size_t bytes, const std::string& directory) {
  const bool is_elsewhere = !directory.empty();
  const char* const place = is_elsewhere ? Kept(directory) : kDirectory;
  const bool may_be = is_elsewhere || has_unnamed.load(std::memory_order_relaxed);
  const Result<int> fd = may_be ? OpenUnnamed(place) : Failure{kAnotherWay, "open", place};
  if (!fd.ok()) {
    const int error = fd.failure().error;
    return Failure{error == kAnotherWay ? ENOTSUP : error, "open", place};
  }
  if (Status reserved = Reserve(place, fd.value(), 0, bytes); !reserved.ok()) {
    close(fd.value());
    return reserved.failure();
  }
  return Draft{reinterpret_cast<void*>(static_cast<intptr_t>(fd.value()) + 1), bytes};
}

Result<Segment> MapDraft(const Draft& draft) {
  if (Status allowed = CheckMappings(MappedFor::kCreation); !allowed.ok()) return allowed.failure();
  return MapDescriptor(DescriptorOf(draft), Access::kReadWrite);
}

void DiscardDraft(const Draft& draft) { close(DescriptorOf(draft)); }

bool IsUnwritten(const Segment& segment, size_t offset, size_t bytes) {
  const Descriptor pages(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (!pages.valid()) return false;
  const auto page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t from = reinterpret_cast<size_t>(segment.address) + offset;
  const size_t end = (from + bytes + page_bytes - 1) / page_bytes;
  std::array<uint64_t, 512> some;
  for (size_t page = from / page_bytes; page < end;) {
    const size_t wanted = std::min(some.size(), end - page) * sizeof(uint64_t);
    const ssize_t got =
        pread(pages.get(), some.data(), wanted, static_cast<off_t>(page * sizeof(uint64_t)));
    if (got < static_cast<ssize_t>(sizeof(uint64_t))) return false;
    const size_t count = static_cast<size_t>(got) / sizeof(uint64_t);
    if (!std::all_of(some.begin(), some.begin() + count, IsPageOfFile)) return false;
    page += count;
  }
  return true;
}

Result<std::vector<Listing>> List() {
  DIR* directory = opendir(kDirectory);
  if (!directory) return Failure{errno, "opendir", kDirectory};
  std::vector<Listing> all;
  while (const dirent* entry = readdir(directory)) {
    if (IsNoSegment(entry->d_name)) continue;
    struct stat status;
    // A file that vanished in the meantime is simply not listed.
    if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(status.st_mode)) continue;
    all.push_back({entry->d_name, static_cast<uint64_t>(status.st_size),
                   static_cast<unsigned>(status.st_mode & 07777), status.st_uid});
  }
  closedir(directory);
  return all;
}

}  // namespace shmkit::os
