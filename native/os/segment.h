// Contract: named segments of shared memory.
//
// A segment is a run of bytes that any process on the machine can map by its name. All bytes belong
// to the user: the library puts nothing before, after or between them.
//
// Guarantees, by number:
//
//   S1  Create is exclusive: if several processes create the same name, one succeeds, and the
//       others get EEXIST.
//   S2  No process attaches to a half-made segment. Where the platform can publish a finished
//       object under a name (Linux, Windows), a creator that is killed at any moment leaves nothing
//       behind. On a file system without unnamed files it leaves a file that is not a segment,
//       which the next creator removes (unfinished_linux.h). On other platforms an attaching
//       process waits a limited time for the creator, then removes what the creator left.
//   S3  Unless `sparse`, every page is reserved at creation. A lack of memory is ENOSPC from
//       Create, never SIGBUS at a later access. (macOS has no such reservation.) A request for more
//       than MemoryLimit, which this process can never have, is ENOMEM: otherwise the system would
//       kill the process.
//   S4  Unlink with an identity removes the name only while the name still leads to that very
//       object, as far as the platform can tell.
//   S5  A mapping outlives its name, and holds no file descriptor (except S8, and S9 until Share).
//   S6  After Overlay the address range is still mapped, to anonymous memory that nobody uses. A
//       late write through a stale pointer neither crashes nor reaches the segment.
//   S7  A read-only attach reads what others write. A write through it stays private, in a copy of
//       the page, and never faults.
//   S8  Of a segment that grows, the first part is reserved at creation, and more by Commit. A lack
//       of memory is ENOSPC from these calls. The rest is address space that must not be accessed.
//       Such a mapping keeps what it needs to grow: a descriptor, which is closed on exec.
//   S9  A sealed segment has a first part, of whole MapUnits, that is shared memory. The rest gets
//       its bytes from the creator, before any other process can see the segment, and never changes
//       after that. A write into the rest stays private to the process that makes it, in a copy of
//       the page (S7). This also applies to the creator. The two parts are neighbours in the
//       address space, so that the segment has one range.
//   S10 A draft is memory for a sealed segment that gets its name later. Until then no other
//       process can see it, and if the process dies, it is gone. Create makes the draft into a
//       segment, with the bytes that were written into it. If that fails, the draft is as it was
//       before, except for the part that is shared and the pieces. Not all systems have drafts.
//   S11 Where a process may have a limited number of mappings (Linux), to map a segment is ENOMEM
//       before the limit is reached: malloc and the engine need some, and end the process
//       otherwise. Create and MapDraft fail earlier than Attach, which is needed to remove
//       segments.
//
// Mechanisms: segment_linux.cc publishes unnamed files in /dev/shm, or those of
// unfinished_linux.cc. memory_limit_linux.cc and map_limit_linux.cc know what the system allows.
// segment_shm_open.cc is portable POSIX and macOS. Both map with mapping_posix.cc. segment_win32.cc
// is Windows. The build files choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "result.h"

namespace shmkit::os {

// Distinguishes objects that have the same name one after another.
struct Identity {
  uint64_t device;
  uint64_t object;

  bool operator==(const Identity& other) const {
    return device == other.device && object == other.object;
  }
};

struct Segment {
  void* address;
  size_t size;  // rounded up to pages on macOS, and on Windows if another program made it
  Identity identity;
  // Windows: the handles that keep the segment and its name alive. Elsewhere, for a segment that
  // grows, or that is sealed and not yet shared: its descriptor plus 1. Otherwise null.
  void* keep_alive;
  // For a sealed segment: how many bytes at its beginning are shared (S9).
  size_t shared_bytes = 0;
};

// kGrowing: for reading and writing a segment that grows (S8).
// kSealed: for a sealed segment (S9). Share comes next. Until then, any part of it is shared.
enum class Access { kReadWrite, kReadOnly, kGrowing, kSealed };

// A part of what a sealed segment contains.
struct Piece {
  const void* data;
  size_t length;
  size_t at;  // its offset in the segment, behind the part that is shared
};

// S10. Drafts are not closed by themselves: see DiscardDraft.
struct Draft {
  void* file;
  size_t size;
};

struct CreateOptions {
  size_t size;
  unsigned mode;  // permission bits, independent of the umask; macOS applies the umask
  bool sparse;    // do not reserve pages (gives up S3)
  // For a segment that grows (S8): how many bytes are reserved at first. 0: it does not grow.
  size_t first_bytes = 0;
  // For a sealed segment (S9): how many bytes are shared, and the pieces that fill the rest. Bytes
  // between pieces are zero, but no unit of memory may lie between two pieces.
  size_t shared_bytes = 0;
  const Piece* pieces = nullptr;
  size_t piece_count = 0;
  // For a sealed segment: the draft that becomes it (S10).
  const Draft* draft = nullptr;
};

// Copies the pieces of a sealed segment into it, where that is the way to write them.
inline void CopyPieces(const CreateOptions& options, void* address) {
  for (size_t i = 0; i < options.piece_count; ++i) {
    const Piece& piece = options.pieces[i];
    if (piece.length > 0) memcpy(static_cast<char*>(address) + piece.at, piece.data, piece.length);
  }
}

// Fills a new segment before any other thread uses it.
struct Initializer {
  Status (*fill)(void* memory, void* context);
  void* context;
  // Where others see a segment before it is finished (kPublishesWhole is false): the last step of
  // its creation, after which nothing can fail. It tells the others that the segment is finished.
  // Returns false if one of them has given up the segment by then. That is EEXIST from Create: that
  // process removes the name, or has done so.
  bool (*commit)(void* memory, void* context) = nullptr;
};

struct Listing {
  std::string name;
  uint64_t size;
  unsigned mode;
  unsigned uid;
};

// A name is one path component in UTF-8, without a leading slash. The caller has checked that.
// Where segments are files (kPlace), it may also be the absolute path of a file in another
// directory, of a file system with unnamed files.
Result<Segment> Create(const std::string& name, const CreateOptions& options,
                       const Initializer* initializer = nullptr);
// For a sealed segment, `probably_shared` is how many bytes of it the caller expects to be shared.
// If that is right, Share has nothing to do.
Result<Segment> Attach(const std::string& name, Access access, size_t probably_shared = 0);
Status Unlink(const std::string& name, const Identity* only_if = nullptr);

// Reserves more of a segment that grows: `bytes` from `offset` on, inside the segment. It is
// harmless to reserve what is already reserved, as long as no other thread changes the reservation.
Status Commit(const Segment& segment, size_t offset, size_t bytes);

// Makes exactly the first bytes of a segment that was attached as kSealed shared memory, and lets
// go of what was needed for that. The segment must be used as it is returned. On failure the caller
// unmaps the segment that it has passed.
Result<Segment> Share(const Segment& segment, size_t bytes);
// S10. A lack of memory is ENOSPC. ENOTSUP if the system has no drafts. Create may also fail with
// ENOTSUP, and the bytes must then be copied into an ordinary segment.
// In another directory than kPlace, if one is given.
Result<Draft> BeginDraft(size_t bytes, const std::string& directory = "");
// Maps all of a draft, to fill it.
Result<Segment> MapDraft(const Draft& draft);
// Frees the memory, unless it is mapped or has become a segment.
void DiscardDraft(const Draft& draft);

// The unit of what can be mapped in different ways: the shared part of a sealed segment is a
// multiple of it.
size_t MapUnit();

// For memory to which the writes of this process stay private (S7, S9): whether the process has
// certainly written nothing there. False if the system does not tell.
bool IsUnwritten(const Segment& segment, size_t offset, size_t bytes);

// The maximum memory of the process, together with everything that shares this limit, as far as the
// system tells. Segments count towards it.
uint64_t MemoryLimit();

// Every existing segment, or ENOTSUP if the system does not tell.
Result<std::vector<Listing>> List();

// Unmaps the segment, which frees its address range, and closes what `keep_alive` holds.
void Unmap(const Segment& segment);
// Unmaps the segment and closes what `keep_alive` holds, but keeps the address range (S6) until
// GiveBack. Returns false if other memory has taken the range by now (Windows). Then there is
// nothing to drain or to give back.
bool Overlay(const Segment& segment);
// Frees the memory of what late writers may have written to an overlaid range.
void Drain(const Segment& overlaid);
// Frees an overlaid range.
void GiveBack(const Segment& overlaid);

// How much address space the process may have, as far as the system tells.
uint64_t MappableBytes();

// False if a name disappears with its last handle even when nothing unlinked it (Windows).
extern const bool kNamesOutliveHandles;
// True if an object is finished as soon as it appears under its name (S2).
extern const bool kPublishesWhole;
// The maximum length of a name, in bytes of UTF-8.
extern const size_t kNameLimitBytes;
// The directory that contains each segment as a file with the segment's name. Null if there is no
// such directory.
extern const char* const kPlace;

}  // namespace shmkit::os
