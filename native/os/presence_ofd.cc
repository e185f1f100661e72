// A read lock of an open file description (fcntl(2), F_OFD_SETLK) on one byte of the directory
// /dev/shm, at the offset that the token says. Nothing is stored there: a lock needs no bytes.
//
// The kernel drops such a lock with the last descriptor of its description, and descriptors are
// closed before a process becomes a zombie (P2). Each Presence has a description of its own, so
// that threads of one process see each other. A directory cannot be opened for writing, so nobody
// can take a write lock, which would keep others out: anyone can pretend to be present, nobody can
// hinder others from being so.
//
// A kernel that has no such locks (gVisor's) has them for no process: there, each presence is a
// lock file in the same directory (presence_files.h).
//
// The kernel keeps the locks of one file in a list. A look walks it, so that its time grows with
// the number of tokens on the machine.
#include <fcntl.h>
#include <unistd.h>

#include "presence_files.h"
#include "presence_token.h"

namespace shmkit::os {

namespace {

// The one directory that all who share segments have in common.
constexpr char kCommonDirectory[] = "/dev/shm";

// Named as no object is (unfinished_linux.h).
constexpr PresenceFiles kFiles{"/dev/shm/shmkit.presence@", ""};

static_assert(sizeof(off_t) == 8, "a token is an offset");

struct flock LockAt(uint64_t token, short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(token);
  lock.l_len = 1;
  return lock;
}

bool SetLock(int fd, uint64_t token, short type) {
  struct flock lock = LockAt(token, type);
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

// Whether any other description has a lock there, as it would be in the way of a write lock. A
// question that fails is a yes (P4).
bool IsLockedByAnother(int fd, uint64_t token) {
  struct flock lock = LockAt(token, F_WRLCK);
  return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

Failure CloseAfter(int fd, Failure failure) {
  close(fd);
  return failure;
}

// What a presence keeps: the descriptor of the directory, or, as a number below 0, that of a file.
intptr_t HandleOf(int file) { return -2 - static_cast<intptr_t>(file); }
int FileOf(intptr_t handle) { return static_cast<int>(-2 - handle); }
bool IsByFile(intptr_t handle) { return handle < -1; }

}  // namespace

Result<Presence> Presence::Enter() {
  const int fd = open(kCommonDirectory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failure{errno, "open", kCommonDirectory};
  for (int draw = 0; draw < kMostDraws; ++draw) {
    const uint64_t token = DrawToken();
    if (SetLock(fd, token, F_RDLCK)) {
      // First locked, then looked: of two who draw the same token, one at least sees the other
      // (P1).
      if (!IsLockedByAnother(fd, token)) return Presence(token, fd);
      (void)SetLock(fd, token, F_UNLCK);
      continue;
    }
    if (errno != EINVAL && errno != ENOSYS) return CloseAfter(fd, {errno, "fcntl"});
    const Result<int> file = kFiles.Take(token);
    const int error = file.ok() ? 0 : file.failure().error;
    if (error == EBUSY) continue;
    if (error != 0) return CloseAfter(fd, {error, "open", kCommonDirectory});
    close(fd);
    return Presence(token, HandleOf(file.value()));
  }
  return CloseAfter(fd, {EBUSY, "fcntl"});
}

void Presence::Leave() {
  if (token_ == 0) return;
  if (IsByFile(handle_)) {
    kFiles.Leave(token_, FileOf(handle_));
  } else {
    const int fd = static_cast<int>(handle_);
    // Not by closing alone: a process that is just being forked may have the descriptor too.
    (void)SetLock(fd, token_, F_UNLCK);
    close(fd);
  }
  token_ = 0;
  handle_ = -1;
}

bool Presence::IsPresent(uint64_t token) const {
  if (!IsToken(token)) return false;
  if (token == token_) return true;  // one's own lock is not in one's own way
  if (!IsByFile(handle_) && IsLockedByAnother(static_cast<int>(handle_), token)) return true;
  // Should a kernel refuse one process what it grants another, the first is none of the dead.
  return kFiles.IsPresent(token);
}

}  // namespace shmkit::os
