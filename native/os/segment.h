// Contract: named segments of shared memory.
//
// A segment is a run of bytes that any process on the machine can map by its name. The bytes are
// the user's: nothing is put before, after or between them.
//
// Guarantees, by number:
//
//   S1  Create is exclusive: of any number of processes creating one name, one succeeds and the
//       others get EEXIST.
//   S2  Nobody attaches to a half-made segment. Where the platform can publish a finished object
//       under a name (Linux, Windows), a creator killed at any moment leaves nothing behind, or, on
//       a file system without unnamed files, a file that is no segment and is cleared by the next
//       creator (unfinished_linux.h). Elsewhere an attacher waits a bounded time for the creator,
//       then clears what it left.
//   S3  Unless `sparse`, every page is reserved at creation: a lack of memory is ENOSPC from
//       Create, never SIGBUS at a later touch. (macOS offers no such reservation.) More than this
//       process may ever have, by MemoryLimit, is ENOMEM: the system would end the process instead.
//   S4  Unlink with an identity removes the name only while it still leads to that very object, as
//       far as the platform can tell.
//   S5  A mapping outlives its name, and holds no file descriptor (but see S8).
//   S6  After Overlay the address range is still mapped, to anonymous memory that belongs to
//   nobody:
//       a late write through a stale pointer neither crashes nor reaches the segment.
//   S7  A read-only attach reads what others write; a write through it stays private to the page
//       copy it makes, and never faults.
//   S8  Of a segment that grows, the first part is reserved at creation, and more by Commit: a
//       lack of memory is ENOSPC from these. The rest is address space, which nobody may touch.
//       Such a mapping keeps what it takes to grow: a descriptor, closed on exec.
//
// Mechanisms: segment_linux.cc publishes unnamed files in /dev/shm, or those of
// unfinished_linux.cc, and memory_limit_linux.cc knows what the system allows; segment_shm_open.cc
// is portable POSIX and macOS; both map with mapping_posix.cc. segment_win32.cc is Windows. The
// build files choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "result.h"

namespace shmkit::os {

// Tells two objects apart that bear one name one after the other.
struct Identity {
  uint64_t device;
  uint64_t object;

  bool operator==(const Identity& other) const {
    return device == other.device && object == other.object;
  }
};

struct Segment {
  void* address;
  size_t size;  // rounded up to pages on macOS; on Windows, when others made it
  Identity identity;
  // Windows: the handles without which the segment and its name would go. Elsewhere, of a segment
  // that grows: its descriptor, plus 1. Else null.
  void* keep_alive;
};

// kGrowing: to read and write a segment that grows (S8).
enum class Access { kReadWrite, kReadOnly, kGrowing };

struct CreateOptions {
  size_t size;
  unsigned mode;  // permission bits, whatever the umask; macOS takes the umask's away
  bool sparse;    // leave pages unreserved (gives up S3)
  // Of a segment that grows (S8): how many bytes are reserved at first. 0: it does not grow.
  size_t first_bytes = 0;
};

// Fills a new segment before anyone else can see it.
struct Initializer {
  Status (*fill)(void* memory, void* context);
  void* context;
};

struct Listing {
  std::string name;
  uint64_t size;
  unsigned mode;
  unsigned uid;
};

// Names are one path component in UTF-8, without a leading slash; the caller has checked that.
Result<Segment> Create(const std::string& name, const CreateOptions& options,
                       const Initializer* initializer = nullptr);
Result<Segment> Attach(const std::string& name, Access access);
Status Unlink(const std::string& name, const Identity* only_if = nullptr);

// Reserves more of a segment that grows: so many bytes from `offset` on, inside it. To reserve what
// is reserved is harmless, while nobody changes it.
Status Commit(const Segment& segment, size_t offset, size_t bytes);

// How much memory the process may have at most, with all that it shares this limit with, as far as
// it is told. Segments count.
uint64_t MemoryLimit();

// Every segment there is, or ENOTSUP where the system does not tell.
Result<std::vector<Listing>> List();

// Gives memory, address range and name handle back.
void Unmap(const Segment& segment);
// Gives the memory and the name handle back but keeps the range (S6), until GiveBack. False where
// somebody else has the range by now (Windows): there is nothing of it to drain or to give back
// then.
bool Overlay(const Segment& segment);
// Drops what late writers may have put into an overlaid range.
void Drain(const Segment& overlaid);
// Gives an overlaid range back.
void GiveBack(const Segment& overlaid);

// How much address space the process may have, as far as it is told.
uint64_t MappableBytes();

// False where a name goes by itself with its last handle, if nothing unlinked it before (Windows).
extern const bool kNamesOutliveHandles;
// True where an object appears under its name finished, or not at all (S2).
extern const bool kPublishesWhole;
// How long a name may be, in bytes of UTF-8.
extern const size_t kNameLimitBytes;
// The directory in which segments are files of their names, or null.
extern const char* const kPlace;

}  // namespace shmkit::os
