// Forks a Node process that is loaded and warm, so that a process to kill costs only a
// millisecond.
//
// When a process forks, the child has only the thread that called fork. So its engine must work
// without other threads (--single-threaded), and the code in the child must be synchronous. The
// child never returns to an event loop, because it shares the descriptors of its loop with its
// parent. It ends by a signal or by exit() here, which runs nothing of Node's own exit code.
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <node_api.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

// To make starting programs fast, the engine keeps its heap from children (MADV_DONTFORK). This
// child needs the heap. Repeated before each fork, because the heap may have grown.
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

// Returns 0 in the child, which dies with its parent, or -1 when there is no child.
static pid_t Fork(void) {
  KeepHeap();
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the signal was requested.
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

// How long it takes to wake up.
static const int64_t kWaking = 60000;
// How long to wait between two looks at a child.
static const int64_t kLook = 150000;
// For a child that hangs, which is then killed: no child comes near it.
static const int64_t kWatchdog = 60000000000;

// Sleeps most of the time, and polls the clock at the end.
static void Pass(int64_t nanoseconds) {
  const int64_t until = Now() + nanoseconds;
  const int64_t asleep = nanoseconds - kWaking;
  if (asleep > 0) {
    const struct timespec span = {asleep / 1000000000, asleep % 1000000000};
    nanosleep(&span, NULL);
  }
  while (Now() < until) continue;
}

// How a child has ended: the signal that ended it, or -1 - its exit code.
static napi_value Outcome(napi_env env, pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return Fail(env, "waitpid");
  }
  return Number(env, WIFSIGNALED(status) ? WTERMSIG(status) : -1 - WEXITSTATUS(status));
}

// Whether a child has ended. It can still be waited for afterwards.
static bool HasEnded(pid_t pid) {
  siginfo_t ended = {0};
  const int error = waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT);
  return error != 0 || ended.si_pid != 0;
}

// The processor time that a child has used.
static int64_t Spent(pid_t pid) {
  clockid_t clock;
  struct timespec spent = {0};
  if (clock_getcpuclockid(pid, &clock) == 0) clock_gettime(clock, &spent);
  return Nanoseconds(spent);
}

// The words in which a child reports its progress: whether it has attached, the number of the last
// change that it has begun, and the number of the last change that it has made.
enum { kAttached, kBegun, kDone };

static int32_t Said(const int32_t* words, int which) {
  return __atomic_load_n(&words[which], __ATOMIC_ACQUIRE);
}

static bool IsWithinChange(const int32_t* words) {
  return Said(words, kBegun) > Said(words, kDone);
}

// Waits until a child has used that much more processor time, or has ended. A child that waits for
// something uses none, so this waits at most ten times as long.
static void Spend(pid_t pid, int64_t nanoseconds) {
  const int64_t until = Spent(pid) + nanoseconds;
  const int64_t latest = Now() + 10 * nanoseconds;
  for (int64_t left; (left = until - Spent(pid)) > 0 && Now() < latest && !HasEnded(pid);)
    Pass(left);
}

// Stops a child wherever it is. Returns whether it is stopped, and has not ended.
static bool Stop(pid_t pid) {
  siginfo_t stopped = {0};
  kill(pid, SIGSTOP);
  while (waitid(P_PID, (id_t)pid, &stopped, WSTOPPED | WEXITED | WNOWAIT) != 0) {
    if (errno != EINTR) return false;
  }
  return stopped.si_code == CLD_STOPPED;
}

// Stops a child again and again until it is within a change, and leaves it there. It waits longer
// each time, so that the child makes progress on any machine.
static void StopWithinChange(pid_t pid, const int32_t* words) {
  const int64_t latest = Now() + kWatchdog;
  for (int64_t span = kLook; Stop(pid) && !IsWithinChange(words) && Now() < latest; span += kLook) {
    kill(pid, SIGCONT);
    Spend(pid, span);
  }
}

// forkAndKill(words, changes, isWithin, microseconds): returns undefined in the child. The parent
// kills the child, and returns how it ended. The child reports its progress in the words, an
// Int32Array. It is killed when it has begun that many changes and has used that much processor
// time since then. If it must be within a change, it is killed the next time it is within one.
// With no changes, the time begins when the child begins.
static napi_value ForkAndKill(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value given[4];
  napi_get_cb_info(env, info, &count, given, NULL, NULL);
  int32_t* words = NULL;
  napi_get_typedarray_info(env, given[0], NULL, NULL, (void**)&words, NULL, NULL);
  const int32_t changes = (int32_t)NumberIn(env, given[1]);
  bool is_within = false;
  napi_get_value_bool(env, given[2], &is_within);
  const int64_t nanoseconds = (int64_t)(1000 * NumberIn(env, given[3]));
  const pid_t pid = Fork();
  if (pid < 0) return Fail(env, "fork");
  if (pid == 0) return NULL;
  const int64_t latest = Now() + kWatchdog;
  while (Said(words, kBegun) < changes && !HasEnded(pid) && Now() < latest) Pass(kLook);
  Spend(pid, nanoseconds);
  if (is_within) StopWithinChange(pid, words);
  kill(pid, SIGKILL);
  return Outcome(env, pid);
}

// forkAndWait(milliseconds): the same, but the child is killed only if it has not ended in time.
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

// forkAndExit(code): the child ends by the library's exit(), which calls all functions that were
// registered for it.
static napi_value ForkAndExit(napi_env env, napi_callback_info info) {
  const int code = (int)NumberGiven(env, info);
  const pid_t pid = Fork();
  if (pid < 0) return Fail(env, "fork");
  if (pid == 0) exit(code);
  return Outcome(env, pid);
}

NAPI_MODULE_INIT() {
  Export(env, exports, "forkAndKill", ForkAndKill);
  Export(env, exports, "forkAndWait", ForkAndWait);
  Export(env, exports, "forkAndExit", ForkAndExit);
  Export(env, exports, "exit", Exit);
  return exports;
}
