// Contract: a condition variable whose timed waits use the steady clock.
//
// Some C++ libraries use the wall clock for std::condition_variable if the C library has no better
// call. If that clock is set back by an hour, a wait there lasts an hour longer.
//
// Mechanisms: condition_posix.cc, condition_win32.cc. The build files choose.
#pragma once

#include <mutex>

#if defined(_WIN32)
#include <condition_variable>
#else
#include <pthread.h>
#endif

#include "deadline.h"

namespace shmkit::os {

class Condition {
 public:
  Condition();
  ~Condition();
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  void NotifyAll();
  // Returns after a notification, after the deadline, or for no reason. The caller holds the mutex.
  void Wait(std::unique_lock<std::mutex>& guard, const Deadline& deadline);

  // Waits until the predicate holds or the deadline has passed. Returns whether the predicate
  // holds.
  template <class Predicate>
  bool WaitFor(std::unique_lock<std::mutex>& guard, const Deadline& deadline,
               const Predicate& holds) {
    while (!holds()) {
      if (deadline.passed()) return false;
      Wait(guard, deadline);
    }
    return true;
  }

 private:
#if defined(_WIN32)
  std::condition_variable condition_;
#else
  pthread_cond_t condition_;
#endif
};

}  // namespace shmkit::os
