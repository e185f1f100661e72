// Presence by lock files: each token has a file, on which the holder of the token has a lock by
// flock(2) as long as it is present.
//
// The kernel releases the flock with its last descriptor, but the file stays. A thread that checks
// and gets a shared flock has found the file of a dead holder, and removes it (P6). Checks take
// only shared flocks, so that several threads that check a dead holder do not get in each other's
// way.
//
// Invariants, by number:
//
//   F1  A check removes a name before it releases the flock with which it found the holder dead. It
//       removes only a name that still leads to the file of that flock.
//   F2  When Take has the flock, it checks whether its name still exists. A thread that checked
//       before that may have taken the arriving holder for a dead one. It has removed the name by
//       then (F1). A thread that checks later does not get the flock.
//
// A program that removes old files from the directory makes living holders look dead.
#pragma once

#include <cstddef>
#include <cstdint>

#include "result.h"

namespace shmkit::os {

class PresenceFiles {
 public:
  // A path is the token's 13 hexadecimal digits between these two strings.
  constexpr PresenceFiles(const char* before, const char* after) : before_(before), after_(after) {}

  // Makes the file of the token and locks it. Returns the descriptor, which must stay open for as
  // long as the holder is present. EBUSY: this token is not available, but another one may be.
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
