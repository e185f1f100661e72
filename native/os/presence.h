// Contract: a token by which every process on the machine can tell whether the token's holder still
// lives.
//
// A thread calls Enter once, and then has a token. When it acquires something in shared memory, it
// writes its token next to that. A thread that finds the token later asks whether the holder is
// present. If not, it cleans up after the holder.
//
// Guarantees, by number:
//
//   P1  A token is a random number from 1 to kMaxToken that no present holder has.
//   P2  A token is present from before Enter returns until Leave, or until its process has ended,
//       however it ends: the kernel releases it. Process ids are not used. So it does not matter
//       which process has the same id now, in which namespace, or that a parent has not yet waited
//       for its child. A process that is merely stopped is present. The end of a thread does not
//       end its token: a thread that ends before its process must call Leave.
//   P3  Everyone who shares the segments can check a token: all threads, processes and users, in
//       any process namespace, whatever the umask of the holder.
//   P4  A living holder is never taken for dead: a check that fails says present. 0 and numbers
//       above kMaxToken are no token of anyone.
//   P5  A program that the holder's process starts does not have the token. Nor does a program by
//       which the process replaces itself (exec). A process that is forked, and starts no other
//       program, shares the token: the token is present until both processes have ended, or until
//       one of them calls Leave.
//   P6  A holder that is killed leaves nothing behind. If presence is a file, it leaves an empty
//       file, which the next check of its token removes.
//
// Mechanisms: presence_ofd.cc (Linux) is an open-file-description lock on a directory, or a file if
// the kernel has no such locks; presence_flock.cc is a lock file (macOS); both use
// presence_files.cc for files. presence_win32.cc is a named kernel event. The build files choose.
#pragma once

#include <cstdint>

#include "result.h"

namespace shmkit::os {

// A JavaScript number holds every token exactly.
constexpr uint64_t kMaxToken = (uint64_t{1} << 52) - 1;

// A plain value. All its copies are the same presence. Only Leave and the end of the process give
// it up. There is no destructor that does so, because it would run at the exit of the process while
// other threads still work.
class Presence {
 public:
  // EBUSY: all tokens that were tried are present. That is possible only if a process fakes
  // presences.
  static Result<Presence> Enter();
  // Gives the token up. May be repeated. After it, only token() may be called.
  void Leave();

  // 0 after Leave.
  uint64_t token() const { return token_; }

  // Any number of threads may call this at the same time.
  bool IsPresent(uint64_t token) const;

 private:
  Presence(uint64_t token, intptr_t handle) : token_(token), handle_(handle) {}

  uint64_t token_;
  intptr_t handle_;  // POSIX: the descriptor; Windows: the kernel event
};

}  // namespace shmkit::os
