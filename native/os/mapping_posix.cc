#include "mapping_posix.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace shmkit::os {

const bool kNamesOutliveHandles = true;

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

SignalsBlocked::SignalsBlocked() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before_);
}

SignalsBlocked::~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

namespace {

// Maps a part of a sealed segment in another way than before. Nobody has accessed it yet: so the
// system has nothing to tell to other processors.
Status MapPart(const Segment& segment, int fd, size_t from, size_t end, int flags) {
  void* const address = static_cast<char*>(segment.address) + from;
  const int protection = PROT_READ | PROT_WRITE;
  const auto offset = static_cast<off_t>(from);
  void* const mapped = mmap(address, end - from, protection, flags | MAP_FIXED, fd, offset);
  if (mapped == MAP_FAILED) return Failure{errno, "mmap"};
  return Nothing{};
}

// Changes how many bytes of a sealed segment are shared.
Status ShareUpTo(Segment* segment, int fd, size_t bytes) {
  const size_t before = segment->shared_bytes;
  Status mapped = Nothing{};
  if (bytes > before) {
    mapped = MapPart(*segment, fd, before, bytes, MAP_SHARED);
  } else if (bytes < before) {
    mapped = MapPart(*segment, fd, bytes, before, MAP_PRIVATE | MAP_NORESERVE);
  }
  if (mapped.ok()) segment->shared_bytes = bytes;
  return mapped;
}

}  // namespace

Result<Segment> MapDescriptor(int fd, Access access, size_t probably_shared) {
  struct stat status;
  if (fstat(fd, &status) != 0) return Failure{errno, "fstat"};
  if (status.st_size <= 0) return Failure{EINVAL, "mmap"};

  // A private writable mapping of a descriptor that was opened for reading shows the live bytes,
  // and keeps a stray write private (S7). With PROT_READ alone, the first stray write would end the
  // process.
  const bool is_private = access == Access::kReadOnly || access == Access::kSealed;
  const int flags = is_private ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED;
  const auto size = static_cast<size_t>(status.st_size);
  int kept = -1;
  if (access == Access::kGrowing || access == Access::kSealed) {
    kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (kept < 0) return Failure{errno, "fcntl"};
  }
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (address == MAP_FAILED) {
    const Failure failure{errno, "mmap"};
    if (kept >= 0) close(kept);
    return failure;
  }
  Segment segment{
      address, size,
      Identity{static_cast<uint64_t>(status.st_dev), static_cast<uint64_t>(status.st_ino)},
      reinterpret_cast<void*>(static_cast<intptr_t>(kept) + 1)};
  if (access != Access::kSealed || size < probably_shared) return segment;
  const Status shared = ShareUpTo(&segment, fd, probably_shared);
  if (shared.ok()) return segment;
  Unmap(segment);
  return shared.failure();
}

int GrowthDescriptor(const Segment& segment) {
  return static_cast<int>(reinterpret_cast<intptr_t>(segment.keep_alive) - 1);
}

namespace {

void CloseDescriptor(const Segment& segment) {
  if (segment.keep_alive) close(GrowthDescriptor(segment));
}

}  // namespace

Result<Segment> Share(const Segment& segment, size_t bytes) {
  Segment shared = segment;
  const Status mapped = ShareUpTo(&shared, GrowthDescriptor(segment), bytes);
  if (!mapped.ok()) return mapped.failure();
  CloseDescriptor(segment);
  shared.keep_alive = nullptr;
  return shared;
}

Result<Segment> MapSealed(int fd, size_t shared_bytes) {
  const Result<Segment> mapped = MapDescriptor(fd, Access::kSealed, shared_bytes);
  if (!mapped.ok()) return mapped;
  Result<Segment> shared = Share(mapped.value(), shared_bytes);
  if (!shared.ok()) Unmap(mapped.value());
  return shared;
}

size_t MapUnit() {
  static const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

void Unmap(const Segment& segment) {
  CloseDescriptor(segment);
  munmap(segment.address, segment.size);
  NoteUnmapped();
}

bool Overlay(const Segment& segment) {
  CloseDescriptor(segment);
  // One call replaces the mapping, so the range is never free for another thread's mmap (S6).
  const int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  // If the system refuses, the segment itself stays mapped, which is just as safe.
  (void)mmap(segment.address, segment.size, PROT_READ | PROT_WRITE, flags, -1, 0);
  return true;
}

void Drain(const Segment& overlaid) { madvise(overlaid.address, overlaid.size, MADV_DONTNEED); }

void GiveBack(const Segment& overlaid) {
  munmap(overlaid.address, overlaid.size);
  NoteUnmapped();
}

uint64_t MappableBytes() {
  struct rlimit limit;
  const bool is_told = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  return is_told ? static_cast<uint64_t>(limit.rlim_cur) : UINT64_MAX;
}

}  // namespace shmkit::os
