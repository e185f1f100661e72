// A thread that tells its client when a moment has come.
//
// Invariants, by number:
//
//   C1  Each Set is answered by one call of `notify`, not before its moment, unless Set is called
//       again before.
//   C2  Nobody joins the thread: it keeps what it needs alive, and goes when it is told to Quit or
//       has had nothing to do for a while.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "../os/condition.h"

namespace shmkit {

class AlarmThread : public std::enable_shared_from_this<AlarmThread> {
 public:
  // `notify` is called on the thread, under the mutex that the client's calls take, so it must not
  // wait for the client.
  explicit AlarmThread(std::function<void()> notify) : notify_(std::move(notify)) {}

  // False when the system gives no thread.
  bool Set(const os::Deadline& moment);
  // The client is going.
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
