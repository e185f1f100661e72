// Files of /dev/shm that are being made, where the file system has no unnamed ones (ramfs has,
// gVisor's tmpfs and old overlays have not), or where such cannot be given a name.
//
// Invariants, by number:
//
//   U1  One has a name of its own kind, which is no segment's (IsUnfinished), until it is given the
//       segment's name as well, finished, by link(2). Then the first is removed.
//   U2  Its creator has the flock of it from before there is anything in it until it is done, or
//       has ended: the kernel lets go of it then.
//   U3  Whoever is granted the flock of one that bears such a name has found what a creator left
//       that died, and removes this name. That is also right when the file has got its segment's
//       name.
//   U4  A creator that does not get the flock of its new file, or finds the name removed when it
//       has it, was taken for a dead one (U3), and begins anew.
#pragma once

#include <string>
#include <utility>

#include "mapping_posix.h"
#include "result.h"

namespace shmkit::os {

class UnfinishedFile {
 public:
  // An empty file in that directory, which only its owner may open.
  static Result<UnfinishedFile> Make(const char* directory);
  UnfinishedFile(UnfinishedFile&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  UnfinishedFile(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(UnfinishedFile&&) = delete;
  // Removes its first name.
  ~UnfinishedFile();

  int fd() const { return fd_; }
  // Gives it a segment's name.
  Status Publish(const std::string& path) const;

 private:
  UnfinishedFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_;
};

// Whether a file of that name is, or was, being made, and is no segment.
bool IsUnfinished(const char* name);

// Removes what creators left that died (U3). Whether there was any.
bool RemoveUnfinished(const char* directory);

}  // namespace shmkit::os
