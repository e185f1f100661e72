// Objects that several processes want.
#define _GNU_SOURCE
#include <pthread.h>

#include "common.h"
#include "mutex.h"
#include "rows.h"

// What the processes share. Each field has its own cache lines.
struct Shared {
  _Alignas(64) pthread_mutex_t mutex;
  _Alignas(64) volatile int64_t counter;
  _Alignas(64) _Atomic int32_t atomic_counter;
  _Alignas(64) _Atomic int ready;
  _Atomic int64_t start;
  _Alignas(64) _Atomic int phase;
  int64_t released;
  _Alignas(64) struct {
    int64_t start, end;
  } spans[kProcesses];
};

static struct Shared* NewShared(void) {
  struct Shared* shared = MapShared(sizeof *shared);
  InitMutex(&shared->mutex, PTHREAD_MUTEX_DEFAULT);
  return shared;
}

// --- handover: from unlock in one process to lock in another one that sleeps in wait for it

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
    SleepMs(2);  // by then the other process sleeps in the mutex
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

void Handovers(int count) {
  struct Shared* shared = NewShared();
  int64_t* spans = calloc(count, sizeof *spans);
  Check(spans != NULL, "calloc");
  if (Fork() == 0) {
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
  AwaitChildren();
  qsort(spans, count, sizeof *spans, Ascending);
  Report(count % 2 ? spans[count / 2] : (spans[count / 2 - 1] + spans[count / 2]) / 2.0);
}

// --- increments: four processes increment one counter

typedef void Work(struct Shared* shared, int count);

static void AddUnderLock(struct Shared* shared, int count) {
  for (int i = 0; i < count; ++i) {
    pthread_mutex_lock(&shared->mutex);
    shared->counter = shared->counter + 1;
    pthread_mutex_unlock(&shared->mutex);
  }
}

static void AddAtomically(struct Shared* shared, int count) {
  for (int i = 0; i < count; ++i) atomic_fetch_add(&shared->atomic_counter, 1);
}

static void WorkFromStart(struct Shared* shared, int process, Work* work, int count) {
  atomic_fetch_add(&shared->ready, 1);
  while (atomic_load(&shared->start) == 0) SleepMs(0.2);
  SleepUntil(atomic_load(&shared->start));
  shared->spans[process].start = Now();
  work(shared, count);
  shared->spans[process].end = Now();
}

// The time from the first start to the last end, per increment of all processes.
static void Increments(Work* work, int count) {
  struct Shared* shared = NewShared();
  for (int process = 0; process < kProcesses; ++process) {
    if (Fork() == 0) {
      WorkFromStart(shared, process, work, count);
      exit(0);
    }
  }
  while (atomic_load(&shared->ready) < kProcesses) SleepMs(0.2);
  atomic_store(&shared->start, Now() + 20000000);
  AwaitChildren();
  int64_t first = shared->spans[0].start, last = shared->spans[0].end;
  for (int process = 1; process < kProcesses; ++process) {
    if (shared->spans[process].start < first) first = shared->spans[process].start;
    if (shared->spans[process].end > last) last = shared->spans[process].end;
  }
  const int64_t total = (int64_t)count * kProcesses;
  CheckCount("increments", total, shared->counter + shared->atomic_counter);
  Report((double)(last - first) / total);
}

void LockedIncrements(int count) { Increments(AddUnderLock, count); }

void AtomicIncrements(int count) { Increments(AddAtomically, count); }
