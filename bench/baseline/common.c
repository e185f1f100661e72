#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void Check(int well, const char* what) {
  if (well) return;
  perror(what);
  exit(1);
}

void CheckCount(const char* what, int64_t expected, int64_t found) {
  if (found == expected) return;
  fprintf(stderr, "%s: %lld and not %lld\n", what, (long long)found, (long long)expected);
  exit(1);
}

int64_t Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void SleepUntil(int64_t when) {
  const struct timespec until = {when / 1000000000, when % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
  }
}

void SleepMs(double ms) { SleepUntil(Now() + (int64_t)(ms * 1e6)); }

void Report(double nanoseconds) { printf("%.2f\n", nanoseconds); }

pid_t Fork(void) {
  fflush(stdout);
  const pid_t child = fork();
  Check(child >= 0, "fork");
  if (child == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  return child;
}

void AwaitChildren(void) {
  int status;
  while (wait(&status) > 0) {
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      fprintf(stderr, "a child failed\n");
      exit(1);
    }
  }
}

void* MapShared(size_t size) {
  void* shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  Check(shared != MAP_FAILED, "mmap");
  return shared;
}
