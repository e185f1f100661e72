// How a manager ends when no JavaScript can run for it any more: its worker is terminated, or a
// signal ends the process. lib/shm/manager/state.ts does the same with the manager's notes, and
// describes the result.
//
// Guarantees, by number:
//
//   E1  All participants are told, as by shutdown(), before the first name is removed.
//   E2  Names are found by their prefix, under the manager's lock and after the end has begun. So
//       no object is made after the search. If the system does not list names (macOS, Windows), or
//       if the lock cannot be acquired, the manager's own name stays. With it, the creator of the
//       next manager of that name finds the notes of the objects that exist.
//   E3  A manager of peers ends only if nobody takes part except those who leave.
//   E4  Bytes in shared memory are untrusted input: every number from them is checked before use,
//       and no wait for a lock is longer than kLockGraceMs.
#pragma once

#include <cstdint>
#include <string>

#include "shared_object.h"

namespace shmkit {

// How far the end of a manager has progressed, according to its word. `End` in
// lib/shm/manager/state.ts has the same values.
enum class ManagerEnd : uint32_t { kNot = 0, kBegun = 1, kDone = 2 };

// Why and how an object's name is removed.
enum class ManagedAs : uint32_t {
  kMemory = 0,  // the user's bytes, without a header
  kLock = 1,    // its name goes under its lock (SharedObject L2)
  kObject = 2,
};

// What must be known about a manager to end it. Offsets are from the manager's first byte.
struct ManagerFacts {
  std::string name;
  os::ObjectId id;
  uint16_t kind;
  bool of_peers;
  // The prefixes of the system's names of everything that the manager made. For each kind:
  // ManagedAs as a digit, the prefix, and NUL.
  std::string heads;
  size_t end_at;
  // The roster: where the number of used entries is, where the first entry is, and how many bytes
  // an entry has. The first word of an entry is half a token plus 1, and the second word is the
  // other half plus 1.
  size_t used_at;
  size_t roster_at;
  size_t entry_bytes;
  uint64_t token_half;
};

// The threads on whose behalf a manager ends. None of them holds the manager's own lock for long.
class Leaving {
 public:
  virtual ~Leaving() = default;
  // Whether the thread of that token no longer takes part: it leaves now, or has left.
  virtual bool IsGone(uint64_t token) = 0;
  // Whether a leaving thread, or its agent, holds the lock.
  virtual bool Holds(SharedObject* object) = 0;
  // Gives up a lock that such a thread holds and that is doomed.
  virtual void GiveUp(SharedObject* object) = 0;
};

void EndManager(const ManagerFacts& facts, Leaving& leaving);

}  // namespace shmkit
