// A lock file per token, under flock(2) for as long as its holder is present.
//
// For systems without locks of open file descriptions (macOS); builds and runs on Linux too, so
// that it is tested. The kernel releases the flock with its last descriptor, but the file stays:
// whoever looks and is granted a shared flock has found a dead holder's, and removes it (P6). Looks
// take shared ones only, so that of many who look at a dead holder none is in another's way.
//
// Invariants, by number:
//
//   F1  A look removes a name before it gives back the flock under which it found the holder dead,
//       and only a name that still leads to what it has the flock of.
//   F2  Enter looks whether its name is still there when it has the flock. One who looked before
//       that, and took a holder who was just arriving for a dead one, has removed it by then (F1);
//       one who looks later is refused.
//
// Something that cleans the directory of old files makes the living look dead.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "flock.h"
#include "mapping_posix.h"
#include "presence_token.h"

namespace shmkit::os {

namespace {

// A flock needs no more than reading, and everybody may look (P3).
constexpr mode_t kMode = 0444;

std::string PathOf(uint64_t token) {
  char path[64];
  snprintf(path, sizeof path, "/tmp/shmkit-presence-%013llx.lock",
           static_cast<unsigned long long>(token));
  return path;
}

bool LeadsTo(const std::string& path, int fd) {
  struct stat named;
  struct stat opened;
  return lstat(path.c_str(), &named) == 0 && fstat(fd, &opened) == 0 &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

// EBUSY: this token is not to be had, another one may be.
Result<int> Take(const std::string& path) {
  const int fd = open(path.c_str(), O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, kMode);
  if (fd < 0) return Failure{errno == EEXIST ? EBUSY : errno, "open"};
  // The umask is for files with contents. Without this others cannot look, which is to them as if
  // the holder lived for ever.
  (void)fchmod(fd, kMode);
  int error = 0;
  if (Flock(fd, LOCK_EX | LOCK_NB) != 0) error = errno == EWOULDBLOCK ? EBUSY : errno;
  if (error == 0 && LeadsTo(path, fd)) return fd;  // F2
  if (error != 0 && LeadsTo(path, fd)) unlink(path.c_str());
  close(fd);
  return Failure{error == 0 ? EBUSY : error, "flock"};
}

}  // namespace

Result<Presence> Presence::Enter() {
  for (int draw = 0; draw < kMostDraws; ++draw) {
    const uint64_t token = DrawToken();
    const Result<int> taken = Take(PathOf(token));
    if (taken.ok()) return Presence(token, taken.value());
    if (taken.failure().error != EBUSY) return taken.failure();
  }
  return Failure{EBUSY, "flock"};
}

void Presence::Leave() {
  if (token_ == 0) return;
  const int fd = static_cast<int>(handle_);
  unlink(PathOf(token_).c_str());
  // Not by closing alone: a process that is just being forked may have the descriptor too.
  (void)Flock(fd, LOCK_UN);
  close(fd);
  token_ = 0;
  handle_ = -1;
}

bool Presence::IsPresent(uint64_t token) const {
  if (!IsToken(token)) return false;
  if (token == token_) return true;
  const std::string path = PathOf(token);
  // Not following links, and not blocking, should the name be somebody's FIFO.
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return errno != ENOENT;
  if (Flock(fd.get(), LOCK_SH | LOCK_NB) != 0) return true;
  // In a directory with the sticky bit another user's file stays, for a look of its owner's.
  if (LeadsTo(path, fd.get())) unlink(path.c_str());  // F1
  return false;
}

}  // namespace shmkit::os
