// Presence as a lock file per token, under flock(2) for as long as its holder is present.
//
// The kernel releases the flock with its last descriptor, but the file stays: whoever looks and is
// granted a shared flock has found a dead holder's, and removes it (P6). Looks take shared ones
// only, so that of many who look at a dead holder none is in another's way.
//
// Invariants, by number:
//
//   F1  A look removes a name before it gives back the flock under which it found the holder dead,
//       and only a name that still leads to what it has the flock of.
//   F2  Take looks whether its name is still there when it has the flock. One who looked before
//       that, and took a holder who was just arriving for a dead one, has removed it by then (F1);
//       one who looks later is refused.
//
// Something that cleans the directory of old files makes the living look dead.
#pragma once

#include <cstddef>
#include <cstdint>

#include "result.h"

namespace shmkit::os {

class PresenceFiles {
 public:
  // Paths are the token's 13 hexadecimal digits, between these two.
  constexpr PresenceFiles(const char* before, const char* after) : before_(before), after_(after) {}

  // A descriptor to keep. EBUSY: this token is not to be had, another one may be.
  Result<int> Take(uint64_t token) const;
  void Leave(uint64_t token, int fd) const;
  bool IsPresent(uint64_t token) const;

 private:
  static constexpr size_t kPathBytes = 64;

  void PutPath(uint64_t token, char (&path)[kPathBytes]) const;

  const char* const before_;
  const char* const after_;
};

}  // namespace shmkit::os
