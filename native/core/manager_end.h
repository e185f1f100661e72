// How a manager ends where no JavaScript can run for it any more: its worker is terminated, or a
// signal ends the process. lib/shm/manager/state.ts does the same, by its notes, and says what
// that comes to.
//
// Guarantees, by number:
//
//   E1  Whoever takes part is told as by shutdown(), before the first name goes.
//   E2  Names are looked for by what they begin with, under the manager's lock and when the end has
//       begun, so nothing is made after the look. Where the system does not list names (macOS,
//       Windows), or the lock is not to be had, the manager's own name stays: by it, who makes the
//       next manager of that name finds the notes of what there is.
//   E3  A manager of peers ends only when none takes part but those who leave.
//   E4  Shared bytes are input: no number from them is used without a check, and no wait is longer
//       than kLockGraceMs, for each lock.
#pragma once

#include <cstdint>
#include <string>

#include "shared_object.h"

namespace shmkit {

// How the end of a manager has come along, as its word says; mirrored by `End` in
// lib/shm/manager/state.ts.
enum class ManagerEnd : uint32_t { kNot = 0, kBegun = 1, kDone = 2 };

// Why and how an object's name is removed.
enum class ManagedAs : uint32_t {
  kMemory = 0,  // bytes of the user's, without a header
  kLock = 1,    // its name goes under its lock (SharedObject L2)
  kObject = 2,
};

// What is to be known of a manager to end it. Offsets are from the manager's first byte.
struct ManagerFacts {
  std::string name;
  os::ObjectId id;
  uint16_t kind;
  bool of_peers;
  // What the system's names begin with of all that it made: for each kind, ManagedAs as a digit,
  // the text, and NUL.
  std::string heads;
  size_t end_at;
  // The roster: how many entries were used, where the first is, and how many bytes each has, of
  // which the first word is half a token plus 1, and the second the other half plus 1.
  size_t used_at;
  size_t roster_at;
  size_t entry_bytes;
  uint64_t token_half;
};

// On whose behalf a manager ends. None of its threads holds the manager's own lock for long.
class Leaving {
 public:
  virtual ~Leaving() = default;
  // Whether the thread of that token takes part no longer: it leaves now, or has left.
  virtual bool IsGone(uint64_t token) = 0;
  // Whether a thread that leaves holds the lock, or its agent.
  virtual bool Holds(SharedObject* object) = 0;
  // What becomes of a lock that such a thread holds, and that is doomed.
  virtual void GiveUp(SharedObject* object) = 0;
};

void EndManager(const ManagerFacts& facts, Leaving& leaving);

}  // namespace shmkit
