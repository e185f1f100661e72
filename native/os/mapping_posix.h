// Maps descriptors into memory: the part that all POSIX segment mechanisms share.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "segment.h"

namespace shmkit::os {

// Closes its descriptor when it is destroyed.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Blocks signals for this thread while memory is reserved. On many kernels, any signal interrupts
// the reservation of a tmpfs, and the whole reservation is then undone. So a large reservation
// would never finish under the regular signals of a profiler.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// Called when a segment was unmapped, for systems that limit how many there may be (S11).
void NoteUnmapped();

// Maps the whole object behind `fd`, of any size but 0. The descriptor still belongs to the caller.
// A segment that grows, or is to be shared (S9), keeps a duplicate of its own.
Result<Segment> MapDescriptor(int fd, Access access, size_t probably_shared = 0);

// Maps a sealed segment of which so many bytes are shared.
Result<Segment> MapSealed(int fd, size_t shared_bytes);

// The descriptor with which a segment grows, or -1.
int GrowthDescriptor(const Segment& segment);

}  // namespace shmkit::os
