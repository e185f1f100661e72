#include "alarm_thread.h"

#include "../os/thread.h"
#include "thread_timing.h"

namespace shmkit {

bool AlarmThread::Set(const os::Deadline& moment) {
  const std::lock_guard<std::mutex> guard(mutex_);
  moment_ = moment;
  changed_.NotifyAll();
  if (running_) return true;
  running_ = os::StartThread([self = shared_from_this()] { self->Run(); });
  return running_;
}

void AlarmThread::Quit() {
  const std::lock_guard<std::mutex> guard(mutex_);
  quitting_ = true;
  changed_.NotifyAll();
}

void AlarmThread::Run() {
  std::unique_lock<std::mutex> guard(mutex_);
  while (!quitting_) {
    if (moment_.never()) {
      const os::Deadline linger = os::Deadline::After(kIdleLingerMs);
      if (changed_.WaitFor(guard, linger, [this] { return quitting_ || !moment_.never(); })) {
        continue;
      }
      running_ = false;
      return;
    }
    if (moment_.passed()) {
      moment_ = os::Deadline::Never();
      notify_();
    } else {
      changed_.Wait(guard, moment_);
    }
  }
}

}  // namespace shmkit
