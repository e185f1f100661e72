// The floor of each row: the same work directly on the system, without Node.
//
//   baseline <row> <count> [prefix of names]
//
// Prints nanoseconds for one operation, or the median of the operations where each is timed
// separately.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "rows.h"

char object_path[512];

static const struct {
  const char* name;
  Row* measure;
} kRows[] = {
    {"lock", LockPairs},
    {"rlock", RecursivePairs},
    {"rwlock-read", ReadLockPairs},
    {"semaphore", SemaphorePairs},
    {"locked-add", LockedAdditions},
    {"handover", Handovers},
    {"increment", LockedIncrements},
    {"increment-add", AtomicIncrements},
    {"ping-pong", PingPong},
    {"barrier", BarrierRounds},
    {"add-int32", AddInt32},
    {"add-int64", AddInt64},
    {"add-float64", AddFloat64},
    {"value-read", ReadValue},
    {"value-write", WriteValue},
    {"array-at", ReadElements},
    {"array-set", WriteElements},
    {"create", Creations},
    {"attach", Attachments},
    {"attach-large", LargeAttachments},
    {"write-large", LargeWrites},
    {"fill-bytes", FillBytes},
    {"fill-doubles", FillDoubles},
    {"copy", Copy},
};

int main(int argc, char** argv) {
  const int count = argc < 3 ? 0 : atoi(argv[2]);
  if (count <= 0) {
    fprintf(stderr, "usage: baseline <row> <count> [prefix of names]\n");
    return 2;
  }
  snprintf(object_path, sizeof object_path, "/dev/shm/%s-c", argc > 3 ? argv[3] : "baseline");
  for (size_t i = 0; i < sizeof kRows / sizeof *kRows; ++i) {
    if (strcmp(argv[1], kRows[i].name) != 0) continue;
    kRows[i].measure(count);
    return 0;
  }
  fprintf(stderr, "no such row: %s\n", argv[1]);
  return 2;
}
