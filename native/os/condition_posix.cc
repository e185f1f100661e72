// pthread_cond_t with CLOCK_MONOTONIC. On macOS no other clock than the wall clock can be set for
// it. There, it waits for spans of time instead of until moments.
#include <pthread.h>
#include <time.h>

#include "condition.h"

namespace shmkit::os {

namespace {

timespec SpanOf(int64_t nanoseconds) {
  return {static_cast<time_t>(nanoseconds / 1000000000),
          static_cast<long>(nanoseconds % 1000000000)};
}

}  // namespace

Condition::Condition() {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
#if !defined(__APPLE__)
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
  pthread_cond_init(&condition_, &attributes);
  pthread_condattr_destroy(&attributes);
}

Condition::~Condition() { pthread_cond_destroy(&condition_); }

void Condition::NotifyAll() { pthread_cond_broadcast(&condition_); }

void Condition::Wait(std::unique_lock<std::mutex>& guard, const Deadline& deadline) {
  pthread_mutex_t* const mutex = guard.mutex()->native_handle();
  if (deadline.never()) {
    pthread_cond_wait(&condition_, mutex);
    return;
  }
#if defined(__APPLE__)
  const timespec span = SpanOf(deadline.remaining_nanoseconds());
  pthread_cond_timedwait_relative_np(&condition_, mutex, &span);
#else
  const timespec moment = SpanOf(deadline.at_nanoseconds());
  pthread_cond_timedwait(&condition_, mutex, &moment);
#endif
}

}  // namespace shmkit::os
