// Ends a manager when no JavaScript can run for it any more: its worker is terminated, or a signal
// ends the process. lib/shm/manager/state.ts does the same in JavaScript, and describes the result.
// There, the objects to unlink are found by the manager's notes, which are a list of all objects
// that were made in the manager.
//
// Guarantees, by number:
//
//   E1  All participants are told, as by shutdown(), before the first name is removed.
//   E2  The names of the manager's objects are found by their prefix, under the manager's lock and
//       after the end has begun. So no object is made after the search. If the system does not list
//       names (macOS, Windows), or if the lock cannot be acquired, the manager's own name stays. So
//       the creator of the next manager of that name can open this one, and find the remaining
//       objects by its notes.
//   E3  A manager of peers belongs to all its participants, and not to its creator. It ends only if
//       all participants are threads that leave now or have ended.
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

// What a name that belongs to a manager leads to. This decides how the name is removed.
enum class ManagedAs : uint32_t {
  kMemory = 0,  // the user's bytes, without a header
  kLock = 1,    // its name is removed while its lock is held (SharedObject L2)
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
  // The roster is the list of the threads that take part in the manager. These are the places of
  // its number of used entries and of its first entry, and the size of an entry in bytes. The first
  // word of an entry is half a token (os::Presence) plus 1, and the second word is the other half
  // plus 1.
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
  // Called for a lock that such a thread holds and that has been unlinked: it is doomed (layout.h),
  // so its name is still there. Removes the name, by unlocking the lock or without doing so.
  virtual void GiveUp(SharedObject* object) = 0;
};

void EndManager(const ManagerFacts& facts, Leaving& leaving);

}  // namespace shmkit
