// An open-file-description read lock (fcntl(2), F_OFD_SETLK) on one byte of the directory /dev/shm,
// at the offset given by the token. Nothing is stored there: a lock needs no bytes.
//
// The kernel drops such a lock with the last descriptor of its description, and it closes
// descriptors before a process becomes a zombie (P2). Each Presence has a description of its own,
// so that threads of one process see each other. A directory cannot be opened for writing, so no
// process can take a write lock, which would keep others out. Anyone can pretend to be present, but
// cannot prevent others from being present.
//
// If the kernel does not have such locks (gVisor's), no process on the machine can use them. Then
// each presence is a lock file in the same directory (presence_files.h).
//
// The kernel keeps the locks of one file in a list. A check walks the list, so its time grows with
// the number of tokens on the machine.
#include <fcntl.h>
#include <unistd.h>

#include "presence_files.h"
#include "presence_token.h"

namespace shmkit::os {

namespace {

// The one directory that all processes which share segments have in common.
constexpr char kCommonDirectory[] = "/dev/shm";

// The names of these files differ from the names of all objects (unfinished_linux.h).
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

// Whether any other description has a lock there that would conflict with a write lock. A check
// that fails says yes (P4).
bool IsLockedByAnother(int fd, uint64_t token) {
  struct flock lock = LockAt(token, F_WRLCK);
  return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

Failure CloseAfter(int fd, Failure failure) {
  close(fd);
  return failure;
}

// What a presence keeps: the descriptor of the directory, or the descriptor of a file, as a
// negative number.
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
      // Lock first, then check: if two threads draw the same token, at least one of them sees the
      // other (P1).
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
    // Closing is not enough: a process that is just being forked may have the descriptor, too.
    (void)SetLock(fd, token_, F_UNLCK);
    close(fd);
  }
  token_ = 0;
  handle_ = -1;
}

bool Presence::IsPresent(uint64_t token) const {
  if (!IsToken(token)) return false;
  if (token == token_) return true;  // a thread's own lock does not conflict with itself
  if (!IsByFile(handle_) && IsLockedByAnother(static_cast<int>(handle_), token)) return true;
  // The holder may have a lock file although this thread has a lock, if the kernel refused such a
  // lock to the holder only. It must not count as dead then.
  return kFiles.IsPresent(token);
}

}  // namespace shmkit::os
