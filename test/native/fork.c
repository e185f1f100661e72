// Forks a Node process that is loaded and warm, so that a process to kill costs a millisecond.
//
// Of a process that forks, the child has one thread: the one that forked. So its engine must be one
// that works without others (--single-threaded), and what is done in the child must be synchronous:
// it never comes back to an event loop, whose descriptors it shares with its parent. It ends by a
// signal or by exit() here, which runs nothing of Node's own end.
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <node_api.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static napi_value Number(napi_env env, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  return value;
}

static double NumberIn(napi_env env, napi_value value) {
  double number = 0;
  napi_get_value_double(env, value, &number);
  return number;
}

static double NumberGiven(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value value;
  napi_get_cb_info(env, info, &count, &value, NULL, NULL);
  return NumberIn(env, value);
}

static napi_value Fail(napi_env env, const char* call) {
  napi_throw_error(env, call, strerror(errno));
  return NULL;
}

// The engine keeps its heap from children (MADV_DONTFORK), to make starting programs fast; this one
// needs it. Anew before each fork, for the heap may have grown.
static void KeepHeap(void) {
  FILE* const maps = fopen("/proc/self/maps", "re");
  if (!maps) return;
  char line[512];
  while (fgets(line, sizeof line, maps)) {
    uintptr_t begin;
    uintptr_t end;
    char sharing;
    unsigned long inode;
    const int found = sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*3c%c %*s %*s %lu", &begin, &end,
                             &sharing, &inode);
    const bool is_own = found == 4 && sharing == 'p' && inode == 0;
    if (is_own) madvise((void*)begin, end - begin, MADV_DOFORK);
  }
  fclose(maps);
}

// 0 in the child, which dies with its parent; -1 when there is none.
static pid_t Fork(void) {
  KeepHeap();
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before it was asked for.
  if (getppid() != parent) _exit(1);
  return 0;
}

static int64_t Nanoseconds(struct timespec time) {
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Nanoseconds(now);
}

// How long it takes to be woken.
static const int64_t kWaking = 60000;
// How long to wait between two looks at a child.
static const int64_t kLook = 150000;

// Sleeps most of the time, and then looks at the clock.
static void Pass(int64_t nanoseconds) {
  const int64_t until = Now() + nanoseconds;
  const int64_t asleep = nanoseconds - kWaking;
  if (asleep > 0) {
    const struct timespec span = {asleep / 1000000000, asleep % 1000000000};
    nanosleep(&span, NULL);
  }
  while (Now() < until) continue;
}

// What became of a child: the signal that ended it, or -1 - its exit code.
static napi_value Outcome(napi_env env, pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return Fail(env, "waitpid");
  }
  return Number(env, WIFSIGNALED(status) ? WTERMSIG(status) : -1 - WEXITSTATUS(status));
}

// Whether it has ended; it stays there to be waited for.
static bool HasEnded(pid_t pid) {
  siginfo_t ended = {0};
  const int error = waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT);
  return error != 0 || ended.si_pid != 0;
}

// The processor time that a child has had.
static int64_t Spent(pid_t pid) {
  clockid_t clock;
  struct timespec spent = {0};
  if (clock_getcpuclockid(pid, &clock) == 0) clock_gettime(clock, &spent);
  return Nanoseconds(spent);
}

// forkAndKill(microseconds, words?): in the child undefined; in the parent, which kills it when it
// has run for so long, what became of it. With an Int32Array, the time begins when the first word
// of it is not 0, which is for the child to write. Time is what the child had of a processor,
// however many others there are who want one; unless it waits for something.
static napi_value ForkAndKill(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value given[2];
  napi_get_cb_info(env, info, &count, given, NULL, NULL);
  const int64_t nanoseconds = (int64_t)(1000 * NumberIn(env, given[0]));
  void* word = NULL;
  bool has_word = false;
  napi_is_typedarray(env, given[1], &has_word);
  if (has_word) napi_get_typedarray_info(env, given[1], NULL, NULL, &word, NULL, NULL);
  const pid_t pid = Fork();
  if (pid < 0) return Fail(env, "fork");
  if (pid == 0) return NULL;
  while (word && !__atomic_load_n((int32_t*)word, __ATOMIC_RELAXED) && !HasEnded(pid)) Pass(kLook);
  const int64_t until = (word ? Spent(pid) : 0) + nanoseconds;
  const int64_t latest = Now() + 10 * nanoseconds;
  for (int64_t left; (left = until - Spent(pid)) > 0 && Now() < latest && !HasEnded(pid);)
    Pass(left);
  kill(pid, SIGKILL);
  return Outcome(env, pid);
}

// forkAndWait(milliseconds): the same, but the child is killed only if it has not ended by then.
static napi_value ForkAndWait(napi_env env, napi_callback_info info) {
  const int64_t until = Now() + (int64_t)(1000000 * NumberGiven(env, info));
  const pid_t pid = Fork();
  if (pid < 0) return Fail(env, "fork");
  if (pid == 0) return NULL;
  while (Now() < until && !HasEnded(pid)) Pass(kLook);
  if (!HasEnded(pid)) kill(pid, SIGKILL);
  return Outcome(env, pid);
}

// exit(code): ends this process at once.
static napi_value Exit(napi_env env, napi_callback_info info) {
  _exit((int)NumberGiven(env, info));
  return NULL;
}

static void Export(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function);
  napi_set_named_property(env, exports, name, function);
}

NAPI_MODULE_INIT() {
  Export(env, exports, "forkAndKill", ForkAndKill);
  Export(env, exports, "forkAndWait", ForkAndWait);
  Export(env, exports, "exit", Exit);
  return exports;
}
