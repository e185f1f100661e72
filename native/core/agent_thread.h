// A thread that takes a lock, holds it and gives it back on behalf of another thread, which must
// not block.
//
// A robust mutex belongs to the thread that locked it (os::Mutex M2, M3). So an event loop cannot
// let a pool thread lock it and then unlock it itself. Each lock that an environment awaits gets an
// agent. The agent's thread starts with the first request, and ends when it has had nothing to do
// for a while.
//
// States, in this order. The client sets those marked with *, the agent's own thread sets the
// others:
//
//   kIdle        nothing to do
//   kWanted    * the thread waits for the lock
//   kGranted     the wait ended, and the client has not collected its outcome
//   kTaken     * the client has it: the lock is held for the client
//   kReleasing * the thread must unlock
//
// Invariants, by number:
//
//   A1  The thread that locks is the thread that unlocks.
//   A2  If the client does not want the lock any more when the thread has acquired it, the thread
//       unlocks it. If the thread was told that the last owner died, the next owner is told again
//       (SharedObject L4).
//   A3  If the client leaves (Quit) while it holds the lock, the thread unlocks the lock, and ends.
//       The next owner is told that the last owner died (SharedObject L4).
//   A4  The thread is never joined, because it may sleep in a lock whose owner never ends. It has
//       references to all objects that it uses, so that they exist as long as the thread. It checks
//       from time to time whether it is still needed (Slices).
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "../os/condition.h"
#include "shared_object.h"
#include "thread_timing.h"

namespace shmkit {

class AgentThread : public std::enable_shared_from_this<AgentThread> {
 public:
  // `notify` is called when there is an outcome to collect, usually on the agent's thread. The
  // constructor takes a reference to `object`.
  AgentThread(SharedObject* object, std::function<void()> notify);
  ~AgentThread();
  AgentThread(const AgentThread&) = delete;
  AgentThread& operator=(const AgentThread&) = delete;

  // Asks for the lock, unless it was asked for already. False if the system cannot start a thread.
  bool Request();
  // Withdraws the request: the client does not want the lock any more, unless it calls Request
  // again.
  void Cancel();
  // Returns the outcome of the request, if there is one. With kYes and kAbandoned the client has
  // the lock.
  std::optional<Acquired> Collect();
  // The same, but waits for the outcome. kTimeout leaves the request as it is.
  Acquired CollectUntil(const os::Deadline& deadline);
  // Makes the thread unlock the lock that the client has collected. Does not wait for it.
  void Release();
  // If the thread has to unlock the lock, waits until it has done so. It has to if the client has
  // released the lock, does not want it any more, or left while it held it. The thread does so at
  // once. The wait is limited to a tenth of a second. On systems that do not tell which thread
  // holds a lock (os::Mutex::IsHeldBy), there is no wait for a thread that has just acquired a lock
  // that the client does not want any more.
  void AwaitReturn();
  // Called when the client does not need the agent any more (A3). The thread ends.
  void Quit();

  bool HoldsForClient();

 private:
  enum class State { kIdle, kWanted, kGranted, kTaken, kReleasing };

  static bool IsHeld(Acquired outcome) {
    return outcome == Acquired::kYes || outcome == Acquired::kAbandoned;
  }

  void Run();
  // Whether the thread has a lock that it must give back, because no client will release it.
  bool IsToReturn() const {
    return state_ == State::kReleasing ||
           (state_ == State::kGranted && (cancelled_ || quitting_)) ||
           (state_ == State::kTaken && quitting_);
  }
  // Whether it has acquired a lock that is not wanted any more, and does not know that yet.
  bool HasInVain() const {
    return state_ == State::kWanted && (cancelled_ || quitting_) && object_->IsLockedBy(thread_);
  }
  void Pursue(std::unique_lock<std::mutex>& guard);
  void Keep(std::unique_lock<std::mutex>& guard);
  std::optional<Acquired> CollectLocked();

  SharedObject* const object_;
  const std::function<void()> notify_;

  std::mutex mutex_;  // guards all below
  os::Condition changed_;
  State state_ = State::kIdle;
  Acquired outcome_ = Acquired::kTimeout;
  Slices slices_;
  bool cancelled_ = false;
  bool wanted_again_ = false;  // requested while still kReleasing
  bool quitting_ = false;
  bool running_ = false;
  uint32_t thread_ = 0;  // the id of the thread that runs
};

}  // namespace shmkit
