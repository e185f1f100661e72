// A thread that waits for a word of a shared object on behalf of another thread, which must not
// block.
//
// States, in this order. The client sets those marked with *, the thread sets the others:
//
//   kIdle      nothing to do
//   kWatching* the thread waits until the word is not what the client saw, or the time is over
//
// Invariants, by number:
//
//   V1  Each Watch is answered by one call of `notify`, unless it is cancelled or Watch is called
//       again before that. The call means only that the client should look at the word.
//   V2  The thread is never joined. It has references to all objects that it uses, so that they
//       exist as long as the thread. Quit wakes it. If it falls asleep at that very moment, it
//       notices at the end of its slice of time that it is not needed any more.
//   V3  If a wake reaches the thread when it is not wanted any more, the wake is passed on: it may
//       have been meant for only one waiter, and for another one.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "../os/condition.h"
#include "shared_object.h"

namespace shmkit {

class WatchThread : public std::enable_shared_from_this<WatchThread> {
 public:
  // `notify` is called on the thread, under the mutex that the client's calls take. So it must not
  // wait for the client. The constructor takes a reference to `object`, which contains `word`.
  WatchThread(SharedObject* object, os::WaitWord* word, std::function<void()> notify);
  ~WatchThread();
  WatchThread(const WatchThread&) = delete;
  WatchThread& operator=(const WatchThread&) = delete;

  // Starts to wait until the word is not `seen`, or until that deadline. Returns false if the
  // system cannot start a thread.
  bool Watch(uint32_t seen, const os::Deadline& until);
  void Cancel();
  // Called when the client does not need the thread any more. The thread ends.
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
