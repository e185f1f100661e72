#include "unfinished_linux.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <random>
#include <utility>

#include "flock.h"

namespace shmkit::os {

namespace {

// No kind of object is called so (lib/names.ts), and no plain segment begins as the kinds do.
constexpr char kPrefix[] = "shmkit.unfinished@";

// More draws than these lost in a row mean that something else is wrong.
constexpr int kMostTries = 1000;

std::string DrawPath(const char* directory) {
  std::random_device source;
  char path[96];
  snprintf(path, sizeof path, "%s/%s%08x%08x", directory, kPrefix, source(), source());
  return path;
}

bool HasName(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && status.st_nlink > 0;
}

}  // namespace

Result<UnfinishedFile> UnfinishedFile::Make(const char* directory) {
  for (int draw = 0; draw < kMostTries; ++draw) {
    std::string path = DrawPath(directory);
    const int fd = open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
      if (errno == EEXIST) continue;
      return Failure{errno, "open", directory};
    }
    UnfinishedFile file(std::move(path), fd);
    if (Flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) continue;  // U4
      return Failure{errno, "flock", directory};
    }
    if (HasName(fd)) return file;
  }
  return Failure{EBUSY, "flock", directory};
}

UnfinishedFile::~UnfinishedFile() {
  if (fd_ < 0) return;
  unlink(path_.c_str());
  close(fd_);
}

Status UnfinishedFile::Publish(const std::string& path) const {
  if (link(path_.c_str(), path.c_str()) != 0) return Failure{errno, "link"};
  return Nothing{};
}

bool IsUnfinished(const char* name) { return strncmp(name, kPrefix, sizeof kPrefix - 1) == 0; }

bool RemoveUnfinished(const char* directory) {
  DIR* entries = opendir(directory);
  if (!entries) return false;
  bool any = false;
  while (const dirent* entry = readdir(entries)) {
    if (!IsUnfinished(entry->d_name)) continue;
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    const Descriptor fd(openat(dirfd(entries), entry->d_name, flags));
    // Another user's, who will remove it.
    if (!fd.valid() || Flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    any = unlinkat(dirfd(entries), entry->d_name, 0) == 0 || any;
  }
  closedir(entries);
  return any;
}

}  // namespace shmkit::os
