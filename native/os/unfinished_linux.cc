#include "unfinished_linux.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "deadline.h"
#include "flock.h"
#include "mapping_posix.h"

namespace shmkit::os {

namespace {

constexpr char kWhere[] = "/dev/shm";

// No segment has a name with this prefix. The names of objects begin with "shmkit." and a kind
// (lib/shm/core/names.ts), and none of the kinds is called "unfinished". The name of a plain
// segment never begins with such a prefix.
constexpr char kUnfinishedPrefix[] = "shmkit.unfinished@";
// presence_ofd.cc
constexpr char kPresencePrefix[] = "shmkit.presence@";

// More failures in a row mean that something else is wrong.
constexpr int kMostTries = 1000;

bool BeginsWith(const char* name, const char* prefix) {
  return strncmp(name, prefix, strlen(prefix)) == 0;
}

bool HasName(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && status.st_nlink > 0;
}

}  // namespace

int MakeUnfinished(char (&path)[kUnfinishedPathBytes]) {
  for (int tries = 0; tries < kMostTries; ++tries) {
    // The name includes the time (U5), because other processes may have the same process id in
    // another namespace.
    snprintf(path, sizeof path, "%s/%s%x-%llx", kWhere, kUnfinishedPrefix,
             static_cast<unsigned>(getpid()), static_cast<unsigned long long>(SteadyNanoseconds()));
    const int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
      if (errno == EEXIST) continue;
      return -errno;
    }
    const int error = Flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (error == 0 && HasName(fd)) return fd;
    unlink(path);
    close(fd);
    if (error != 0 && error != EWOULDBLOCK) return -error;
  }
  return -EBUSY;
}

bool IsNoSegment(const char* name) {
  return BeginsWith(name, kUnfinishedPrefix) || BeginsWith(name, kPresencePrefix);
}

bool RemoveLeft() {
  DIR* entries = opendir(kWhere);
  if (!entries) return false;
  bool any = false;
  while (const dirent* entry = readdir(entries)) {
    if (!IsNoSegment(entry->d_name)) continue;
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    const Descriptor fd(openat(dirfd(entries), entry->d_name, flags));
    // Belongs to another user, who will remove it, or its creator lives.
    if (!fd.valid() || Flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    any = unlinkat(dirfd(entries), entry->d_name, 0) == 0 || any;
  }
  closedir(entries);
  return any;
}

}  // namespace shmkit::os
