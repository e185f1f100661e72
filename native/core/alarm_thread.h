// A thread that tells its client when a moment has come.
//
// Invariants, by number:
//
//   C1  Each Set is answered by one call of `notify`, not before its moment, unless Set is called
//       again before that.
//   C2  The thread is never joined. It has references to all objects that it uses, so that they
//       exist as long as the thread. It ends after Quit, or when it has had nothing to do for a
//       while.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "../os/condition.h"

namespace shmkit {

class AlarmThread : public std::enable_shared_from_this<AlarmThread> {
 public:
  // `notify` is called on the thread, under the mutex that the client's calls take. So it must not
  // wait for the client.
  explicit AlarmThread(std::function<void()> notify) : notify_(std::move(notify)) {}

  // Sets the moment, in place of one that was set before. Returns false if the system cannot start
  // a thread.
  bool Set(const os::Deadline& moment);
  // Called when the client does not need the thread any more. The thread ends.
  void Quit();

 private:
  void Run();

  const std::function<void()> notify_;

  std::mutex mutex_;  // guards all below
  os::Condition changed_;
  os::Deadline moment_ = os::Deadline::Never();
  bool quitting_ = false;
  bool running_ = false;
};

}  // namespace shmkit
