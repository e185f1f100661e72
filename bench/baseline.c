// The floor of each row: the same work straight on the system, without Node.
//
//   baseline <row> <count> [prefix of names]
//
// prints nanoseconds: for one operation, or the median of them where each is timed by itself. What
// it does for segments are the system calls of native/os/segment_linux.cc and mapping_posix.cc, in
// their order.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kSmall = 4096, kLarge = 64 << 20, kProcesses = 4 };

static const char kDirectory[] = "/dev/shm";

static void Check(int well, const char* what) {
  if (well) return;
  perror(what);
  exit(1);
}

static int64_t Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void SleepUntil(int64_t when) {
  const struct timespec until = {when / 1000000000, when % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
  }
}

static void SleepMs(double ms) { SleepUntil(Now() + (int64_t)(ms * 1e6)); }

static void Report(double nanoseconds) { printf("%.2f\n", nanoseconds); }

static pid_t Fork(void) {
  fflush(stdout);
  const pid_t child = fork();
  Check(child >= 0, "fork");
  if (child == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  return child;
}

// What processes share, each thing on cache lines of its own.
struct Shared {
  _Alignas(64) pthread_mutex_t mutex;
  _Alignas(64) volatile int64_t counter;
  _Alignas(64) _Atomic int ready;
  _Atomic int64_t start;
  _Alignas(64) _Atomic int phase;
  int64_t released;
  _Alignas(64) struct {
    int64_t start, end;
  } spans[kProcesses];
};

static struct Shared* NewShared(void) {
  struct Shared* shared =
      mmap(NULL, sizeof(struct Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  Check(shared != MAP_FAILED, "mmap");
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  Check(pthread_mutex_init(&shared->mutex, &attributes) == 0, "pthread_mutex_init");
  return shared;
}

// --- lock: one process, nobody else wants it

static void LockPairs(int count) {
  struct Shared* shared = NewShared();
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) {
    pthread_mutex_lock(&shared->mutex);
    pthread_mutex_unlock(&shared->mutex);
  }
  Report((double)(Now() - start) / count);
}

// --- handover: from unlock in one process to the lock in another that sleeps in wait for it

enum { kIdle, kHeld, kAwaited, kTaken };

static void AwaitPhase(struct Shared* shared, int phase) {
  while (atomic_load(&shared->phase) != phase) SleepMs(0.2);
}

static void Hold(struct Shared* shared, int count) {
  for (int i = 0; i < count; ++i) {
    AwaitPhase(shared, kIdle);
    pthread_mutex_lock(&shared->mutex);
    atomic_store(&shared->phase, kHeld);
    AwaitPhase(shared, kAwaited);
    SleepMs(2);  // by then the other sleeps in the mutex
    shared->released = Now();
    pthread_mutex_unlock(&shared->mutex);
    AwaitPhase(shared, kTaken);
    atomic_store(&shared->phase, kIdle);
  }
}

static int Ascending(const void* left, const void* right) {
  const int64_t a = *(const int64_t*)left, b = *(const int64_t*)right;
  return (a > b) - (a < b);
}

static void Handovers(int count) {
  struct Shared* shared = NewShared();
  int64_t* spans = calloc(count, sizeof *spans);
  Check(spans != NULL, "calloc");
  const pid_t child = Fork();
  if (child == 0) {
    Hold(shared, count);
    exit(0);
  }
  for (int i = 0; i < count; ++i) {
    AwaitPhase(shared, kHeld);
    atomic_store(&shared->phase, kAwaited);
    pthread_mutex_lock(&shared->mutex);
    spans[i] = Now() - shared->released;
    pthread_mutex_unlock(&shared->mutex);
    atomic_store(&shared->phase, kTaken);
  }
  waitpid(child, NULL, 0);
  qsort(spans, count, sizeof *spans, Ascending);
  Report(count % 2 ? spans[count / 2] : (spans[count / 2 - 1] + spans[count / 2]) / 2.0);
}

// --- increment: four processes, one counter

static void Increment(struct Shared* shared, int process, int count) {
  atomic_fetch_add(&shared->ready, 1);
  while (atomic_load(&shared->start) == 0) SleepMs(0.2);
  SleepUntil(atomic_load(&shared->start));
  shared->spans[process].start = Now();
  for (int i = 0; i < count; ++i) {
    pthread_mutex_lock(&shared->mutex);
    shared->counter = shared->counter + 1;
    pthread_mutex_unlock(&shared->mutex);
  }
  shared->spans[process].end = Now();
}

static void Increments(int count) {
  struct Shared* shared = NewShared();
  for (int process = 0; process < kProcesses; ++process) {
    if (Fork() == 0) {
      Increment(shared, process, count);
      exit(0);
    }
  }
  while (atomic_load(&shared->ready) < kProcesses) SleepMs(0.2);
  atomic_store(&shared->start, Now() + 20000000);
  while (wait(NULL) > 0) {
  }
  int64_t first = shared->spans[0].start, last = shared->spans[0].end;
  for (int process = 1; process < kProcesses; ++process) {
    if (shared->spans[process].start < first) first = shared->spans[process].start;
    if (shared->spans[process].end > last) last = shared->spans[process].end;
  }
  const int64_t total = (int64_t)count * kProcesses;
  if (shared->counter != total) {
    fprintf(stderr, "increments were lost: %lld\n", (long long)(total - shared->counter));
    exit(1);
  }
  Report((double)(last - first) / total);
}

// --- segments

// An unnamed file of the tmpfs with its memory reserved, mapped.
static void* MapNew(int* fd, size_t size) {
  *fd = open(kDirectory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  Check(*fd >= 0, "open");
  Check(fallocate(*fd, 0, 0, (off_t)size) == 0, "fallocate");
  struct stat status;
  Check(fstat(*fd, &status) == 0, "fstat");
  void* address = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
  Check(address != MAP_FAILED, "mmap");
  return address;
}

static void* Create(const char* path) {
  int fd;
  void* address = MapNew(&fd, kSmall);
  char source[32];
  snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
  Check(linkat(AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0, "linkat");
  close(fd);
  return address;
}

static void Unlink(const char* path) {
  struct stat status;
  Check(lstat(path, &status) == 0, "lstat");
  Check(unlink(path) == 0, "unlink");
}

static void Creations(int count, const char* path) {
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) {
    munmap(Create(path), kSmall);
    Unlink(path);
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

static void Attachments(int count, const char* path) {
  void* created = Create(path);
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) munmap(Attach(path), kSmall);
  const int64_t end = Now();
  munmap(created, kSmall);
  Unlink(path);
  Report((double)(end - start) / count);
}

// --- filling 64 MiB

static void* LargeSegment(void) {
  int fd;
  void* target = MapNew(&fd, kLarge);
  close(fd);
  memset(target, 1, kLarge);  // every page is there before the clock starts
  return target;
}

static void FillBytes(int count) {
  void* target = LargeSegment();
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) {
    memset(target, i, kLarge);
    __asm__ volatile("" ::: "memory");  // nobody reads it: keep it all the same
  }
  Report((double)(Now() - start) / count);
}

static void FillDoubles(int count) {
  double* target = LargeSegment();
  const int64_t start = Now();
  for (int pass = 0; pass < count; ++pass) {
    for (size_t i = 0; i < kLarge / sizeof *target; ++i) target[i] = pass + 0.5;
    __asm__ volatile("" ::: "memory");
  }
  Report((double)(Now() - start) / count);
}

static void Copy(int count) {
  void* target = LargeSegment();
  void* source = malloc(kLarge);
  Check(source != NULL, "malloc");
  memset(source, 2, kLarge);
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) {
    memcpy(target, source, kLarge);
    __asm__ volatile("" ::: "memory");
  }
  Report((double)(Now() - start) / count);
}

int main(int argc, char** argv) {
  const int count = argc < 3 ? 0 : atoi(argv[2]);
  if (count <= 0) {
    fprintf(stderr, "usage: baseline <row> <count> [prefix of names]\n");
    return 2;
  }
  const char* row = argv[1];
  char path[512];
  snprintf(path, sizeof path, "%s/%s-c", kDirectory, argc > 3 ? argv[3] : "baseline");
  if (strcmp(row, "lock") == 0) {
    LockPairs(count);
  } else if (strcmp(row, "handover") == 0) {
    Handovers(count);
  } else if (strcmp(row, "increment") == 0) {
    Increments(count);
  } else if (strcmp(row, "create") == 0) {
    Creations(count, path);
  } else if (strcmp(row, "attach") == 0) {
    Attachments(count, path);
  } else if (strcmp(row, "fill-bytes") == 0) {
    FillBytes(count);
  } else if (strcmp(row, "fill-doubles") == 0) {
    FillDoubles(count);
  } else if (strcmp(row, "copy") == 0) {
    Copy(count);
  } else {
    fprintf(stderr, "no such row: %s\n", row);
    return 2;
  }
  return 0;
}
