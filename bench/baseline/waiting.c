// Processes that wait for each other.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "rows.h"

// --- ping-pong: one process wakes another by a futex, and sleeps until the other wakes it

struct Table {
  _Alignas(64) _Atomic int32_t ping;
  _Alignas(64) _Atomic int32_t pong;
  _Alignas(64) int64_t trips;  // the number of trips that the second process has begun
};

// Without FUTEX_PRIVATE_FLAG, because the waiter is in another process.
static void Signal(_Atomic int32_t* word) {
  atomic_store(word, 1);
  syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void Await(_Atomic int32_t* word) {
  while (atomic_exchange(word, 0) == 0) syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void Serve(struct Table* table, int trips) {
  for (int i = 0; i < trips; ++i) {
    Signal(&table->ping);
    Await(&table->pong);
  }
}

void PingPong(int count) {
  struct Table* table = MapShared(sizeof *table);
  const int uncounted = count / 10 + 1;
  if (Fork() == 0) {
    for (int i = 0; i < count + uncounted; ++i) {
      ++table->trips;
      Await(&table->ping);
      Signal(&table->pong);
    }
    exit(0);
  }
  Serve(table, uncounted);
  const int64_t start = Now();
  Serve(table, count);
  const int64_t end = Now();
  CheckCount("trips", count + uncounted, table->trips);
  AwaitChildren();
  Report((double)(end - start) / count);
}

// --- barrier: four processes arrive, and then all continue

struct Meeting {
  _Alignas(64) pthread_barrier_t barrier;
  struct {
    _Alignas(64) _Atomic int64_t rounds;
  } came[kProcesses];
};

static void Attend(struct Meeting* meeting, int process, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    meeting->came[process].rounds++;
    pthread_barrier_wait(&meeting->barrier);
  }
}

void BarrierRounds(int count) {
  struct Meeting* meeting = MapShared(sizeof *meeting);
  pthread_barrierattr_t attributes;
  pthread_barrierattr_init(&attributes);
  pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  Check(pthread_barrier_init(&meeting->barrier, &attributes, kProcesses) == 0,
        "pthread_barrier_init");
  const int uncounted = count / 10 + 1;
  for (int process = 1; process < kProcesses; ++process) {
    if (Fork() == 0) {
      Attend(meeting, process, uncounted + count);
      exit(0);
    }
  }
  Attend(meeting, 0, uncounted);
  const int64_t start = Now();
  Attend(meeting, 0, count);
  const int64_t end = Now();
  // No process can be past a round in which another has not arrived.
  for (int process = 0; process < kProcesses; ++process) {
    CheckCount("rounds", uncounted + count, meeting->came[process].rounds);
  }
  AwaitChildren();
  Report((double)(end - start) / count);
}
