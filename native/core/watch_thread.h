// A thread that waits for a word of a shared object on behalf of another that must not block.
//
// States, in the order they are passed through; the client moves those marked *, the thread the
// others:
//
//   kIdle      nothing to do
//   kWatching* the thread waits until the word is not what the client saw, or its time is over
//
// Invariants, by number:
//
//   V1  Each Watch is answered by one call of `notify`, unless it is cancelled or Watch is called
//       again before. It says no more than that it is time to look.
//   V2  Nobody joins the thread: it keeps what it needs alive. Quit wakes it, and should it fall
//       asleep in that very moment, it sees at the end of its slice that it is not wanted any more.
//   V3  A wake that reaches the thread when nobody wants it any more is passed on: it may have been
//       meant for one waiter only, and that one be another.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "../os/condition.h"
#include "shared_object.h"

namespace shmkit {

class WatchThread : public std::enable_shared_from_this<WatchThread> {
 public:
  // `notify` is called on the thread, under the mutex that the client's calls take, so it must not
  // wait for the client. Takes a reference to `object`, of which `word` is one.
  WatchThread(SharedObject* object, os::WaitWord* word, std::function<void()> notify);
  ~WatchThread();
  WatchThread(const WatchThread&) = delete;
  WatchThread& operator=(const WatchThread&) = delete;

  // False when the system gives no thread.
  bool Watch(uint32_t seen, const os::Deadline& until);
  void Cancel();
  // The client is going.
  void Quit();

 private:
  enum class State { kIdle, kWatching };

  void Run();
  void Look(std::unique_lock<std::mutex>& guard);

  SharedObject* const object_;
  os::WaitWord* const word_;
  const std::function<void()> notify_;

  std::mutex mutex_;  // guards all below
  os::Condition changed_;
  State state_ = State::kIdle;
  uint32_t seen_ = 0;
  os::Deadline until_ = os::Deadline::Never();
  bool quitting_ = false;
  bool running_ = false;
};

}  // namespace shmkit
