// Mapping descriptors into memory: the part that every POSIX segment mechanism shares.
#pragma once

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

// Sets the size of a new object and, unless sparse, reserves its pages (S3).
Status Resize(int fd, const CreateOptions& options);

// Maps the whole object behind `fd`, of any size but 0. The descriptor stays the caller's.
Result<Segment> MapDescriptor(int fd, Access access);

}  // namespace shmkit::os
