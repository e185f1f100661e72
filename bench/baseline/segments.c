// Creates and closes segments of 4 KiB, and of 64 MiB.
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "rows.h"
#include "segment.h"

enum { kSmall = 4096, kLarge = 64 << 20 };

static const char kDirectory[] = "/dev/shm";

void* MapNew(int* fd, size_t size) {
  *fd = open(kDirectory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  Check(*fd >= 0, "open");
  Check(fallocate(*fd, 0, 0, (off_t)size) == 0, "fallocate");
  struct stat status;
  Check(fstat(*fd, &status) == 0, "fstat");
  void* address = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
  Check(address != MAP_FAILED, "mmap");
  return address;
}

static void Link(int fd, const char* path) {
  char source[32];
  snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
  Check(linkat(AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0, "linkat");
  close(fd);
}

static void* Create(const char* path, size_t size) {
  int fd;
  void* address = MapNew(&fd, size);
  Link(fd, path);
  return address;
}

static void Unlink(const char* path) {
  struct stat status;
  Check(lstat(path, &status) == 0, "lstat");
  Check(unlink(path) == 0, "unlink");
}

void Creations(int count) {
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) {
    munmap(Create(object_path, kSmall), kSmall);
    Unlink(object_path);
  }
  Report((double)(Now() - start) / count);
}

static void* Attach(const char* path) {
  const int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  Check(fd >= 0, "open");
  struct stat status;
  Check(fstat(fd, &status) == 0, "fstat");
  void* address = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  Check(address != MAP_FAILED, "mmap");
  close(fd);
  return address;
}

static void AttachTo(size_t size, int count) {
  void* created = Create(object_path, size);
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) munmap(Attach(object_path), size);
  const int64_t end = Now();
  munmap(created, size);
  Unlink(object_path);
  Report((double)(end - start) / count);
}

void Attachments(int count) { AttachTo(kSmall, count); }

void LargeAttachments(int count) { AttachTo(kLarge, count); }

void LargeWrites(int count) {
  char* source = malloc(kLarge);
  Check(source != NULL, "malloc");
  memset(source, 1, kLarge);
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) {
    const int fd = open(kDirectory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    Check(fd >= 0, "open");
    Check(write(fd, source, kLarge) == kLarge, "write");
    Link(fd, object_path);
    Unlink(object_path);
  }
  Report((double)(Now() - start) / count);
}
