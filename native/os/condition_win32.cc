// std::condition_variable, which on Windows waits for spans of the system's own clock.
#include "condition.h"

namespace shmkit::os {

Condition::Condition() = default;

Condition::~Condition() = default;

void Condition::NotifyAll() { condition_.notify_all(); }

void Condition::Wait(std::unique_lock<std::mutex>& guard, const Deadline& deadline) {
  if (deadline.never()) {
    condition_.wait(guard);
  } else {
    condition_.wait_for(guard, std::chrono::nanoseconds(deadline.remaining_nanoseconds()));
  }
}

}  // namespace shmkit::os
