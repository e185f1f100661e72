// A thread that takes a lock, holds it and gives it back on behalf of another that must not block.
//
// A robust mutex belongs to the thread that locked it (os::Mutex M2, M3), so an event loop cannot
// have it locked by a pool thread and unlock it itself. Each lock that an environment awaits gets
// an agent, whose thread comes with the first request and goes when there has been nothing to do.
//
// States, in the order they are passed through; the client moves those marked *, the agent's own
// thread the others:
//
//   kIdle        nothing to do
//   kWanted    * the thread waits for the lock
//   kGranted     the wait ended and the client has not collected its outcome
//   kTaken     * the client has it: the lock is held for it
//   kReleasing * the thread is to unlock
//
// Invariants, by number:
//
//   A1  The thread that locks is the thread that unlocks.
//   A2  A grant that nobody wants any more is put back with its news (SharedObject L4).
//   A3  When the client goes (Quit) while it holds the lock, the thread puts it back as a dead
//   owner's
//       (SharedObject L4), and ends.
//   A4  Nobody joins the thread: it may be asleep in a lock whose owner never ends. It keeps what
//       it needs alive, and looks every kSliceMs whether it is still wanted.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "../os/condition.h"
#include "shared_object.h"

namespace shmkit {

class AgentThread : public std::enable_shared_from_this<AgentThread> {
 public:
  // `notify` is called on the agent's thread for each outcome to collect. Takes a reference to
  // `object`.
  AgentThread(SharedObject* object, std::function<void()> notify);
  ~AgentThread();
  AgentThread(const AgentThread&) = delete;
  AgentThread& operator=(const AgentThread&) = delete;

  // Asks for the lock, if it is not asked for yet. False when the system gives no thread.
  bool Request();
  // Nobody wants it any more, unless Request is called again.
  void Cancel();
  // The outcome of the request if there is one; at kYes and kAbandoned the lock is the client's.
  std::optional<Acquired> Collect();
  // The same, waiting for it; kTimeout leaves the request as it is.
  Acquired CollectUntil(const os::Deadline& deadline);
  // Gives back what was collected.
  void Release();
  // Waits until the thread has given back what the client released, does not want any more, or held
  // when it went, which it does at once; but no longer than a tenth of a second.
  void AwaitReturn();
  // The client is going (A3).
  void Quit();

  bool HoldsForClient();

 private:
  enum class State { kIdle, kWanted, kGranted, kTaken, kReleasing };

  static bool IsHeld(Acquired outcome) {
    return outcome == Acquired::kYes || outcome == Acquired::kAbandoned;
  }

  void Run();
  // Whether the thread has a lock that nobody is left to release.
  bool IsToReturn() const {
    return state_ == State::kReleasing ||
           (state_ == State::kGranted && (cancelled_ || quitting_)) ||
           (state_ == State::kTaken && quitting_);
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
  bool cancelled_ = false;
  bool wanted_again_ = false;  // requested while still kReleasing
  bool quitting_ = false;
  bool running_ = false;
};

}  // namespace shmkit
