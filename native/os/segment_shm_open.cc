// Segments through shm_open(3): macOS and other POSIX systems. Here a name exists before its object
// has a size, so the creator and the attaching processes follow a protocol (S2). A process that
// finds an empty object waits for it. If the object stays empty, its creator has died, and the
// object is removed. Before its last step, which tells the others that the segment is finished, a
// creator checks that the name still leads to what it made. After that step, others may use the
// segment and remove its name, so then the creator leaves it alone.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deadline.h"
#include "mapping_posix.h"
#include "segment.h"
#include "thread.h"

namespace shmkit::os {

namespace {

constexpr double kCreatorGraceMs = 1000;

std::string PathOf(const std::string& name) { return '/' + name; }

Result<Identity> IdentityOf(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) return Failure{errno, "fstat"};
  return Identity{static_cast<uint64_t>(status.st_dev), static_cast<uint64_t>(status.st_ino)};
}

Result<Identity> IdentityOf(const std::string& name) {
  const Descriptor fd(shm_open(PathOf(name).c_str(), O_RDONLY, 0));
  if (!fd.valid()) return Failure{errno, "shm_open"};
  return IdentityOf(fd.get());
}

// Removes the name of an object that is no segment yet, or will never be one.
void RemoveUnfinished(const std::string& name, int fd) {
  const Result<Identity> identity = IdentityOf(fd);
  if (identity.ok()) (void)Unlink(name, &identity.value());
}

// Reserves pages, if the system can.
Status Reserve([[maybe_unused]] int fd, [[maybe_unused]] size_t offset,
               [[maybe_unused]] size_t bytes) {
#if !defined(__APPLE__)
  int error = 0;
  {
    const SignalsBlocked undisturbed;
    do error = posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(bytes));
    while (error == EINTR);
  }
  if (error != 0) return Failure{error, "posix_fallocate"};
#endif
  return Nothing{};
}

// Gives a new object its size and, unless sparse, its pages (S3), or the first of them (S8).
Status Resize(int fd, const CreateOptions& options) {
  if (ftruncate(fd, static_cast<off_t>(options.size)) != 0) return Failure{errno, "ftruncate"};
  if (options.sparse) return Nothing{};
  return Reserve(fd, 0, options.first_bytes > 0 ? options.first_bytes : options.size);
}

Result<Segment> Furnish(int fd, const CreateOptions& options, const Initializer* initializer) {
  if (Status sized = Resize(fd, options); !sized.ok()) return sized.failure();
  const Access access = options.first_bytes > 0 ? Access::kGrowing : Access::kReadWrite;
  Result<Segment> mapped = MapDescriptor(fd, access);
  if (!mapped.ok()) return mapped;
  CopyPieces(options, mapped.value().address);
  const Status filled = initializer
                            ? initializer->fill(mapped.value().address, initializer->context)
                            : Status(Nothing{});
  if (filled.ok() && options.shared_bytes == 0) return mapped;
  Unmap(mapped.value());
  if (!filled.ok()) return filled.failure();
  return MapSealed(fd, options.shared_bytes);
}

// Waits until the object has a size. Returns false if it does not get one within the grace of the
// creator.
bool WaitForSize(int fd) {
  const Deadline grace = Deadline::After(kCreatorGraceMs);
  struct stat status;
  while (fstat(fd, &status) == 0 && status.st_size == 0) {
    if (grace.passed()) return false;
    SleepFor(1);
  }
  return true;
}

}  // namespace

const bool kPublishesWhole = false;
const char* const kPlace = nullptr;
#if defined(__APPLE__) || defined(SHMKIT_AS_ON_MACOS)
const size_t kNameLimitBytes = 30;  // PSHMNAMLEN minus the slash
#else
const size_t kNameLimitBytes = 254;
#endif

Result<Segment> Create(const std::string& name, const CreateOptions& options,
                       const Initializer* initializer) {
  const int flags = O_CREAT | O_EXCL | O_RDWR;
  const Descriptor fd(shm_open(PathOf(name).c_str(), flags, static_cast<mode_t>(options.mode)));
  if (!fd.valid()) return Failure{errno, "shm_open"};
  // macOS accepts this only for files (EINVAL): there the umask applies.
  (void)fchmod(fd.get(), static_cast<mode_t>(options.mode));

  Result<Segment> made = Furnish(fd.get(), options, initializer);
  if (!made.ok()) {
    RemoveUnfinished(name, fd.get());
    return made;
  }
  const Result<Identity> named = IdentityOf(name);
  const bool is_ours = named.ok() && named.value() == made.value().identity;
  const auto commit = initializer ? initializer->commit : nullptr;
  if (is_ours && (!commit || commit(made.value().address, initializer->context))) return made;
  Unmap(made.value());
  return Failure{EEXIST, "shm_open"};
}

Result<Segment> Attach(const std::string& name, Access access, size_t probably_shared) {
  const int flags = access == Access::kReadOnly ? O_RDONLY : O_RDWR;
  const Descriptor fd(shm_open(PathOf(name).c_str(), flags, 0));
  if (!fd.valid()) return Failure{errno, "shm_open"};
  if (!WaitForSize(fd.get())) {
    // Other processes may have waited for the same creator, and one of them may have made a new
    // object already.
    RemoveUnfinished(name, fd.get());
    return Failure{ENOENT, "shm_open"};
  }
  return MapDescriptor(fd.get(), access, probably_shared);
}

Status Commit(const Segment& segment, size_t offset, size_t bytes) {
  return Reserve(GrowthDescriptor(segment), offset, bytes);
}

Result<Draft> BeginDraft(size_t, const std::string&) { return Failure{ENOTSUP, "open"}; }

Result<Segment> MapDraft(const Draft&) { return Failure{ENOTSUP, "open"}; }

void DiscardDraft(const Draft&) {}

// Neither macOS nor POSIX tells.
bool IsUnwritten(const Segment&, size_t, size_t) { return false; }

Status Unlink(const std::string& name, const Identity* only_if) {
  if (only_if) {
    const Result<Identity> named = IdentityOf(name);
    if (!named.ok()) return Failure{named.failure().error, "shm_unlink"};
    if (!(named.value() == *only_if)) return Failure{ENOENT, "shm_unlink"};
  }
  if (shm_unlink(PathOf(name).c_str()) != 0) return Failure{errno, "shm_unlink"};
  return Nothing{};
}

uint64_t MemoryLimit() { return UINT64_MAX; }

void NoteUnmapped() {}

Result<std::vector<Listing>> List() { return Failure{ENOTSUP, "shm_open"}; }

}  // namespace shmkit::os
