#include "agent_thread.h"

#include "../os/thread.h"

namespace shmkit {

namespace {

constexpr double kReturnGraceMs = 100;

}  // namespace

AgentThread::AgentThread(SharedObject* object, std::function<void()> notify)
    : object_(object), notify_(std::move(notify)) {
  object_->AddReference();
}

AgentThread::~AgentThread() { object_->DropReference(); }

bool AgentThread::Request() {
  const std::lock_guard<std::mutex> guard(mutex_);
  cancelled_ = false;
  slices_.Restart();
  if (state_ == State::kReleasing) wanted_again_ = true;
  // If the previous request was cancelled before its outcome was collected, the outcome serves this
  // request.
  if (state_ == State::kGranted) notify_();
  if (state_ == State::kIdle) state_ = State::kWanted;
  changed_.NotifyAll();
  if (running_) return true;
  if (!os::StartThread([self = shared_from_this()] { self->Run(); })) {
    state_ = State::kIdle;
    return false;
  }
  running_ = true;
  return true;
}

void AgentThread::Cancel() {
  const std::lock_guard<std::mutex> guard(mutex_);
  cancelled_ = true;
  wanted_again_ = false;
  changed_.NotifyAll();
}

std::optional<Acquired> AgentThread::CollectLocked() {
  if (state_ != State::kGranted || cancelled_) return std::nullopt;
  state_ = IsHeld(outcome_) ? State::kTaken : State::kIdle;
  // The thread continues to sleep while the lock is taken: to wake it would cost the client a
  // system call.
  if (state_ == State::kIdle) changed_.NotifyAll();
  return outcome_;
}

std::optional<Acquired> AgentThread::Collect() {
  const std::lock_guard<std::mutex> guard(mutex_);
  return CollectLocked();
}

Acquired AgentThread::CollectUntil(const os::Deadline& deadline) {
  std::unique_lock<std::mutex> guard(mutex_);
  const auto granted = [this] { return state_ == State::kGranted && !cancelled_; };
  if (!changed_.WaitFor(guard, deadline, granted)) return Acquired::kTimeout;
  return *CollectLocked();
}

void AgentThread::Release() {
  const std::lock_guard<std::mutex> guard(mutex_);
  if (state_ != State::kTaken) return;
  state_ = State::kReleasing;
  changed_.NotifyAll();
}

void AgentThread::AwaitReturn() {
  std::unique_lock<std::mutex> guard(mutex_);
  changed_.WaitFor(guard, os::Deadline::After(kReturnGraceMs),
                   [this] { return !IsToReturn() && !HasInVain(); });
}

void AgentThread::Quit() {
  const std::lock_guard<std::mutex> guard(mutex_);
  quitting_ = true;
  changed_.NotifyAll();
}

bool AgentThread::HoldsForClient() {
  const std::lock_guard<std::mutex> guard(mutex_);
  return state_ == State::kTaken;
}

void AgentThread::Run() {
  std::unique_lock<std::mutex> guard(mutex_);
  thread_ = os::Mutex::CurrentThreadId();
  while (!quitting_) {
    switch (state_) {
      case State::kWanted:
        Pursue(guard);
        break;
      case State::kGranted:
      case State::kTaken:
      case State::kReleasing:
        Keep(guard);
        break;
      case State::kIdle:
        if (!changed_.WaitFor(guard, os::Deadline::After(kIdleLingerMs),
                              [this] { return quitting_ || state_ != State::kIdle; })) {
          running_ = false;
          thread_ = 0;
          return;
        }
    }
  }
}

// kWanted -> kGranted, or kIdle if it is not wanted any more.
void AgentThread::Pursue(std::unique_lock<std::mutex>& guard) {
  const os::Deadline slice = os::Deadline::After(slices_.Next());
  guard.unlock();
  const Acquired outcome = object_->LockUntil(slice);
  guard.lock();
  if (cancelled_ || quitting_) {
    if (IsHeld(outcome)) object_->PutBack(outcome);
    state_ = State::kIdle;
    cancelled_ = false;
    changed_.NotifyAll();
    return;
  }
  if (outcome == Acquired::kTimeout) return;
  state_ = State::kGranted;
  outcome_ = outcome;
  changed_.NotifyAll();
  notify_();
}

// kGranted or kTaken or kReleasing -> kIdle or kWanted.
void AgentThread::Keep(std::unique_lock<std::mutex>& guard) {
  changed_.WaitFor(guard, os::Deadline::Never(), [this] {
    return state_ == State::kIdle || state_ == State::kWanted || IsToReturn();
  });
  // There is nothing to unlock: the client has collected an outcome without the lock. It may have
  // requested the lock again since then.
  if (state_ == State::kIdle || state_ == State::kWanted) return;
  const bool held = state_ != State::kGranted || IsHeld(outcome_);
  if (held) {
    if (state_ == State::kGranted) {
      object_->PutBack(outcome_);  // A2
    } else if (state_ == State::kTaken) {
      object_->PutBack(Acquired::kAbandoned);  // A3
    } else {
      object_->Unlock();
    }
  }
  state_ = wanted_again_ ? State::kWanted : State::kIdle;
  wanted_again_ = false;
  cancelled_ = false;
  changed_.NotifyAll();
}

}  // namespace shmkit
