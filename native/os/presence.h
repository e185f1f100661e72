// Contract: a token by which anyone on the machine can tell whether its holder is still there.
//
// A thread enters once, and writes its token into shared memory beside whatever it takes there.
// Who finds the token later asks whether its holder is present, and clears up after one who is not.
//
// Guarantees, by number:
//
//   P1  A token is a random number from 1 to kMaxToken that nobody present has.
//   P2  It is present from before Enter returns until Leave, or until its process has ended, by
//       whatever end: the kernel lets go of it. No process number is asked, so it does not matter
//       who bears the same one now, in which namespace, or that a parent has not yet asked for the
//       end of its child. One who is merely stopped is present. The end of a thread is no end of
//       its token: a thread that its process outlives must Leave.
//   P3  Whoever shares the segments can tell: all threads, processes and users, in whichever
//       process namespace, whatever the umask of the holder.
//   P4  The living are never taken for dead: a look that fails says present. 0 and what is greater
//   than
//       kMaxToken are nobody's token.
//   P5  A program that the holder starts, or becomes, does not have its token. A process that is
//       forked and stays the same program shares it: the token is present until both have ended,
//       or either one leaves.
//   P6  A holder that is killed leaves nothing behind, or, where presence is a file, one that is
//       empty, which the next look at its token removes.
//
// Mechanisms: presence_ofd.cc (Linux) is a lock of an open file description on a directory, or a
// file where the kernel has no such locks; presence_flock.cc is a lock file (macOS); both have
// presence_files.cc for that. presence_win32.cc is a named kernel event. The build files choose.
#pragma once

#include <cstdint>

#include "result.h"

namespace shmkit::os {

// A JavaScript number holds every token exactly.
constexpr uint64_t kMaxToken = (uint64_t{1} << 52) - 1;

// A plain value, of which all copies are the same presence. Nothing but Leave and the end of the
// process gives it up: a destructor that ran at the process' exit would, while other threads still
// work.
class Presence {
 public:
  // EBUSY: all tokens that were tried are present, which only somebody who pretends can bring
  // about.
  static Result<Presence> Enter();
  // Gives the token up. Harmless when repeated; after it, nothing may be asked but token().
  void Leave();

  // 0 after Leave.
  uint64_t token() const { return token_; }

  // Any number of threads may ask at a time.
  bool IsPresent(uint64_t token) const;

 private:
  Presence(uint64_t token, intptr_t handle) : token_(token), handle_(handle) {}

  uint64_t token_;
  intptr_t handle_;  // POSIX: the descriptor; Windows: the kernel event
};

}  // namespace shmkit::os
