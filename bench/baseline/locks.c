// Locks that no other process wants: what it costs one process to acquire and release them.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>

#include "common.h"
#include "mutex.h"
#include "rows.h"

void InitMutex(pthread_mutex_t* mutex, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, type);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  Check(pthread_mutex_init(mutex, &attributes) == 0, "pthread_mutex_init");
}

void LockPairs(int count) {
  pthread_mutex_t* mutex = MapShared(sizeof *mutex);
  InitMutex(mutex, PTHREAD_MUTEX_DEFAULT);
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) {
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
  }
  Report((double)(Now() - start) / count);
}

// The mutex is held the whole time: each iteration enters it again.
void RecursivePairs(int count) {
  pthread_mutex_t* mutex = MapShared(sizeof *mutex);
  InitMutex(mutex, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_lock(mutex);
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) {
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
  }
  Report((double)(Now() - start) / count);
}

void ReadLockPairs(int count) {
  pthread_rwlock_t* lock = MapShared(sizeof *lock);
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  Check(pthread_rwlock_init(lock, &attributes) == 0, "pthread_rwlock_init");
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) {
    pthread_rwlock_rdlock(lock);
    pthread_rwlock_unlock(lock);
  }
  Report((double)(Now() - start) / count);
}

void SemaphorePairs(int count) {
  sem_t* semaphore = MapShared(sizeof *semaphore);
  Check(sem_init(semaphore, 1, 1) == 0, "sem_init");
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) {
    sem_wait(semaphore);
    sem_post(semaphore);
  }
  Report((double)(Now() - start) / count);
}

// One process that counts under a lock.
void LockedAdditions(int count) {
  struct {
    pthread_mutex_t mutex;
    volatile int32_t counter;
  }* shared = MapShared(sizeof *shared);
  InitMutex(&shared->mutex, PTHREAD_MUTEX_DEFAULT);
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) {
    pthread_mutex_lock(&shared->mutex);
    shared->counter = shared->counter + 1;
    pthread_mutex_unlock(&shared->mutex);
  }
  const int64_t end = Now();
  CheckCount("locked additions", count, shared->counter);
  Report((double)(end - start) / count);
}
