// Mapping descriptors into memory: the part that every POSIX segment mechanism shares.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "segment.h"

namespace shmkit::os {

// Closes its descriptor when it goes.
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

// Keeps signals from this thread while memory is reserved: on many kernels any signal interrupts a
// tmpfs' reservation, which is then undone as a whole, so that a large one would never come to its
// end under a profiler's regular signals.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// Maps the whole object behind `fd`, of any size but 0. The descriptor stays the caller's; a
// segment that grows keeps another of its own.
Result<Segment> MapDescriptor(int fd, Access access);

// The descriptor by which a segment grows, or -1.
int GrowthDescriptor(const Segment& segment);

}  // namespace shmkit::os
