// Starts a program for which the kernel refuses certain system calls, or kills the program when it
// makes one.
//
//   denying RULE... -- PROGRAM ARGUMENT...
//
// A rule is one of the names below, a colon, and an error number or `kill`.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// A system call, and a condition for one of its arguments: it has one of some bits, or none of
// them, or any value.
struct Call {
  const char* name;
  long number;
  int argument;
  uint32_t bits;
  int has;
};

#define ANY 0, 0, -1

// A bit that the numbers of the three commands for locks of descriptions have, and no command that
// Node uses.
#define OFD 32

static const struct Call kCalls[] = {
    {"unnamed", SYS_openat, 2, O_TMPFILE & ~O_DIRECTORY, 1},
    {"name-unnamed", SYS_linkat, 4, AT_EMPTY_PATH | AT_SYMLINK_FOLLOW, 1},
    {"fallocate", SYS_fallocate, ANY},
    {"flock", SYS_flock, ANY},
    {"description-locks", SYS_fcntl, 1, OFD, 1},
    {"fchmod", SYS_fchmod, ANY},
    {"link", SYS_linkat, 4, AT_EMPTY_PATH | AT_SYMLINK_FOLLOW, 0},
    {"unlink", SYS_unlinkat, ANY},
#ifdef SYS_open
    {"unnamed", SYS_open, 1, O_TMPFILE & ~O_DIRECTORY, 1},
    {"link", SYS_link, ANY},
    {"unlink", SYS_unlink, ANY},
#endif
};

enum { kMostInstructions = 256 };

static struct sock_filter program[kMostInstructions];
static unsigned short length;

static void Add(struct sock_filter instruction) {
  if (length == kMostInstructions) exit(2);
  program[length++] = instruction;
}

static void Load(size_t offset) {
  Add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void Refuse(const struct Call* call, uint32_t action) {
  Load(offsetof(struct seccomp_data, nr));
  const int looks = call->has >= 0;
  Add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call->number, 0,
                                   looks ? 3 : 1));
  if (looks) {
    // The low half of an argument, on little-endian machines.
    Load(offsetof(struct seccomp_data, args) + sizeof(uint64_t) * (size_t)call->argument);
    Add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, call->bits, !call->has,
                                     call->has));
  }
  Add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void Obey(const char* rule) {
  const char* colon = strchr(rule, ':');
  if (!colon) exit(2);
  const uint32_t action = strcmp(colon + 1, "kill") == 0
                              ? SECCOMP_RET_KILL_PROCESS
                              : SECCOMP_RET_ERRNO | (uint32_t)atoi(colon + 1);
  const size_t name = (size_t)(colon - rule);
  int any = 0;
  for (size_t i = 0; i < sizeof kCalls / sizeof *kCalls; ++i) {
    if (strlen(kCalls[i].name) != name || strncmp(kCalls[i].name, rule, name) != 0) continue;
    Refuse(&kCalls[i], action);
    any = 1;
  }
  if (!any) exit(2);
}

int main(int argc, char** argv) {
  int at = 1;
  for (; at < argc && strcmp(argv[at], "--") != 0; ++at) Obey(argv[at]);
  Add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const struct sock_fprog filter = {length, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    perror("prctl");
    return 2;
  }
  if (at + 1 >= argc) return 0;
  execv(argv[at + 1], argv + at + 1);
  perror(argv[at + 1]);
  return 2;
}
