// Writes 64 MiB.
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "rows.h"
#include "segment.h"

enum { kLarge = 64 << 20 };

static void* LargeSegment(void) {
  int fd;
  void* target = MapNew(&fd, kLarge);
  close(fd);
  memset(target, 1, kLarge);  // every page is there before the clock starts
  return target;
}

void FillBytes(int count) {
  void* target = LargeSegment();
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) {
    memset(target, i, kLarge);
    __asm__ volatile("" ::: "memory");  // nothing reads the target: keep the write anyway
  }
  Report((double)(Now() - start) / count);
}

void FillDoubles(int count) {
  double* target = LargeSegment();
  const int64_t start = Now();
  for (int pass = 0; pass < count; ++pass) {
    for (size_t i = 0; i < kLarge / sizeof *target; ++i) target[i] = pass + 0.5;
    __asm__ volatile("" ::: "memory");
  }
  Report((double)(Now() - start) / count);
}

void Copy(int count) {
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
