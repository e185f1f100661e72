// Contract: a condition variable whose timed waits go by the steady clock.
//
// Some C++ libraries time std::condition_variable by the clock of the day, where the C library has
// no better call: a wait lasts an hour longer there when that clock is set back by one.
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
  // Until it is notified, the deadline has passed, or for no reason. The caller has the mutex.
  void Wait(std::unique_lock<std::mutex>& guard, const Deadline& deadline);

  // Until the predicate holds, or the deadline has passed; whether it holds.
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
