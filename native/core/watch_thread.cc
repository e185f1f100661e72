#include "watch_thread.h"

#include "../os/thread.h"
#include "thread_timing.h"

namespace shmkit {

WatchThread::WatchThread(SharedObject* object, os::WaitWord* word, std::function<void()> notify)
    : object_(object), word_(word), notify_(std::move(notify)) {
  object_->AddReference();
}

WatchThread::~WatchThread() { object_->DropReference(); }

bool WatchThread::Watch(uint32_t seen, const os::Deadline& until) {
  const std::lock_guard<std::mutex> guard(mutex_);
  seen_ = seen;
  until_ = until;
  state_ = State::kWatching;
  changed_.NotifyAll();
  if (running_) return true;
  if (!os::StartThread([self = shared_from_this()] { self->Run(); })) {
    state_ = State::kIdle;
    return false;
  }
  running_ = true;
  return true;
}

void WatchThread::Cancel() {
  const std::lock_guard<std::mutex> guard(mutex_);
  state_ = State::kIdle;
}

void WatchThread::Quit() {
  const std::lock_guard<std::mutex> guard(mutex_);
  quitting_ = true;
  changed_.NotifyAll();
  // This wakes the thread if it sleeps. The thread may also have been woken already, without the
  // client knowing. Then that wake may have been meant for another waiter (V3), and this wakes that
  // waiter, too. All waiters are woken, because the right ones cannot be selected. The others look
  // at the word and continue to sleep.
  os::Wake(*word_, os::kWakeAll);
}

void WatchThread::Run() {
  std::unique_lock<std::mutex> guard(mutex_);
  while (!quitting_) {
    if (state_ == State::kWatching) {
      Look(guard);
    } else if (!changed_.WaitFor(guard, os::Deadline::After(kIdleLingerMs),
                                 [this] { return quitting_ || state_ != State::kIdle; })) {
      running_ = false;
      return;
    }
  }
}

// Waits for one slice of time. The client may call Watch in the meantime, with another value that
// it has seen. Then this sleep need not be interrupted: before the client has to look at the word,
// the word must change again, and the wake after that change reaches all who sleep here (os::Waiter
// W2).
void WatchThread::Look(std::unique_lock<std::mutex>& guard) {
  const uint32_t seen = seen_;
  const os::Deadline slice = until_.Within(kWatchSliceMs);
  guard.unlock();
  const os::Woken woken = os::Wait(*word_, seen, slice);
  guard.lock();
  if (state_ != State::kWatching || quitting_) {
    if (woken == os::Woken::kMaybe) os::Wake(*word_, 1);  // V3
    return;
  }
  if (word_->value.load() == seen_ && !until_.passed()) return;
  state_ = State::kIdle;
  notify_();
}

}  // namespace shmkit
