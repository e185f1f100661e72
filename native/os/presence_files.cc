#include "presence_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "flock.h"
#include "mapping_posix.h"

namespace shmkit::os {

namespace {

// A flock needs only read permission, and every user may check (P3).
constexpr mode_t kPresenceMode = 0444;

bool LeadsTo(const char* path, int fd) {
  struct stat named;
  struct stat opened;
  return lstat(path, &named) == 0 && fstat(fd, &opened) == 0 && named.st_dev == opened.st_dev &&
         named.st_ino == opened.st_ino;
}

}  // namespace

void PresenceFiles::PutPath(uint64_t token, char (&path)[kPathBytes]) const {
  const auto number = static_cast<unsigned long long>(token);
  snprintf(path, sizeof path, "%s%013llx%s", before_, number, after_);
}

Result<int> PresenceFiles::Take(uint64_t token) const {
  char path[kPathBytes];
  PutPath(token, path);
  const int flags = O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC;
  const int fd = open(path, flags, kPresenceMode);
  if (fd < 0) return Failure{errno == EEXIST ? EBUSY : errno, "open"};
  // The umask is meant for files with contents. Without this call, other users could not check, and
  // for them the holder would live for ever.
  (void)fchmod(fd, kPresenceMode);
  int error = 0;
  if (Flock(fd, LOCK_EX | LOCK_NB) != 0) error = errno == EWOULDBLOCK ? EBUSY : errno;
  if (error == 0 && LeadsTo(path, fd)) return fd;  // F2
  if (error != 0 && LeadsTo(path, fd)) unlink(path);
  close(fd);
  return Failure{error == 0 ? EBUSY : error, "flock"};
}

void PresenceFiles::Leave(uint64_t token, int fd) const {
  char path[kPathBytes];
  PutPath(token, path);
  unlink(path);
  // Closing is not enough: a process that is just being forked may have the descriptor, too.
  (void)Flock(fd, LOCK_UN);
  close(fd);
}

bool PresenceFiles::IsPresent(uint64_t token) const {
  char path[kPathBytes];
  PutPath(token, path);
  // Does not follow links, and does not block if the name is a FIFO of another program.
  const Descriptor fd(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return errno != ENOENT;
  if (Flock(fd.get(), LOCK_SH | LOCK_NB) != 0) return true;
  // In a sticky directory, another user's file stays until its owner checks it.
  if (LeadsTo(path, fd.get())) unlink(path);  // F1
  return false;
}

}  // namespace shmkit::os
