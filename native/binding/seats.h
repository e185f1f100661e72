// The objects of one environment (a main thread or a worker), by seat number.
//
// A seat is an environment's use of a SharedObject. There is one seat per object, no matter how
// many handles there are. So a thread always knows whether it holds a lock, even if it acquired the
// lock through another handle. TypeScript counts the handles.
//
// When a thread's environment ends, the locks that it holds are unlocked, and the next owners are
// told that the last owner died (AgentThread A3, SharedObject L5). The system would also pass the
// locks on when the thread ends. But it would not remove the names of doomed locks (layout.h).
// These names would stay until the next process removes them.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "../core/agent_thread.h"
#include "../core/shared_object.h"
#include "../core/spinning_wait.h"
#include "mailbox.h"
#include "spinner.h"
#include "stack.h"

namespace shmkit {

struct Seat {
  Seat(SharedObject* of, uint32_t number) : object(of), index(number) {}

  // The waits of this thread for the word at that offset. Words that have the same one by chance
  // only affect each other's speed.
  SpinningWait& WaitAt(size_t offset) {
    return waits_[offset / sizeof(os::WaitWord) % (sizeof waits_ / sizeof waits_[0])];
  }

  SharedObject* const object;
  const uint32_t index;
  bool held = false;       // by this thread itself
  bool taken = false;      // collected from the agent, which holds it for this thread
  bool fresh = false;      // while held: acquired since the last turn of the event loop
  bool requested = false;  // asked for, and the outcome is not collected yet
  bool spinning = false;   // while requested: the event loop tries to get it, not yet the agent
  std::optional<Acquired> tried;  // the outcome of that, until it is collected
  SpinHistory history;
  bool awaited = false;  // tasks of this thread wait until this thread releases the lock
  unsigned place = 0;    // while held: its position among the held seats
  std::shared_ptr<AgentThread> agent;

 private:
  SpinningWait waits_[4];
};

class Seats : private Spinner::Client {
 public:
  Seats(napi_env env, Spinner& spinner) : env_(env), spinner_(spinner) {}
  Seats(const Seats&) = delete;
  Seats& operator=(const Seats&) = delete;

  // `control` is an array. Its first word says which seat the hot calls are about: the calls that
  // take no arguments, so that they are fast. Agents call `on_grant`.
  void Initialize(int32_t* control, napi_value on_grant);

  // The seat of an object. It takes over the caller's reference.
  uint32_t Add(SharedObject* object);
  void Close(uint32_t index);
  // Null if the seat was closed, or never existed.
  Seat* At(uint32_t index) { return index < seats_.size() ? seats_[index].get() : nullptr; }
  Seat* Current() { return At(static_cast<uint32_t>(*control_)); }
  // The other arguments of the hot calls. They are in the same array, read as float64.
  double* operands() { return reinterpret_cast<double*>(control_); }

  // To be called before the lock of a seat is tried. The result is kTimeout if the lock may be
  // tried. It is kAbandoned if this thread holds the lock already. In that case this thread was
  // interrupted before it knew that it had the lock, or before it gave the lock back, so it counts
  // as a dead owner. Other results say why the lock must not be tried.
  Acquired Before(Seat& seat) {
    if (seat.held || seat.taken) return Acquired::kAbandoned;
    if (held_ >= kMostHeld) return Acquired::kTooManyHeld;
    return stack.Suffices() ? Acquired::kTimeout : Acquired::kShallow;
  }
  Acquired Note(Seat& seat, Acquired acquired) {
    if (acquired == Acquired::kYes || acquired == Acquired::kAbandoned) NoteHeld(seat);
    return acquired;
  }
  void NoteRelease(Seat& seat);
  // To be called with what the agent of a seat returned.
  Acquired NoteCollected(Seat& seat, Acquired acquired);
  // Makes the agent unlock the lock that it holds for this thread. Does not wait for it.
  void ReleaseByAgent(Seat& seat);

  // The seats that were acquired since the end of the last turn of the event loop, and are still
  // held. They are not reported again.
  std::vector<uint32_t> TakeFresh();
  // Whether this thread has the lock of an object, either itself or through its agent.
  bool Holds(SharedObject* object);
  // Gives back a lock that this thread has and will not use any more. The next owner is told that
  // the last owner died.
  void GiveUp(SharedObject* object);
  // Whether there are seats that TakeFresh would return, or JavaScript has something else to check
  // when a turn ends.
  bool AwaitsTurn() const {
    return fresh_ > 0 || !collected_.empty() || (control_ && control_[kLookAtEnd] != 0);
  }

  Stack stack;

  // Asks for the lock on behalf of tasks. `on_grant` is called when there is something to collect.
  // The agent waits for the lock. Before that, if `spins`, this thread itself tries to get it for a
  // moment, at each turn of the event loop. Returns false if no agent could be started.
  bool Request(uint32_t index, bool spins);
  // Makes the agent wait now, if this thread still tries.
  bool Ask(Seat& seat);
  // Withdraws the request.
  void Cancel(Seat& seat);
  // The outcome, if there is one.
  std::optional<Acquired> Collect(Seat& seat);
  // Sets whether tasks of this thread wait for each other to release the lock. As with the agent,
  // the event loop is kept alive meanwhile. Returns false if that is not possible.
  bool Await(Seat& seat, bool awaited);

  // Called when this thread runs no JavaScript any more. Unlocks everything that it holds, itself
  // or through agents. The next owners are told that the last owner died.
  void LetGo();
  // Called when the environment ends. Does the same, and drops all seats.
  void Leave();

 private:
  // When a thread dies, the kernel passes at most 2048 of its locks on to other owners
  // (ROBUST_LIST_LIMIT).
  static constexpr unsigned kMostHeld = 2000;
  // The index of the word in the array that says that JavaScript has something to check.
  static constexpr unsigned kLookAtEnd = 10;

  Seen Look(uint32_t index) override;
  void Tell(uint32_t index) override;
  void GiveUp(uint32_t index) override;
  SpinHistory& HistoryOf(uint32_t index) override;

  void NoteHeld(Seat& seat);
  void PutBackTried(Seat& seat);
  void Unrequest(Seat& seat);
  bool OpenMailbox();
  Seat* Find(SharedObject* object);

  napi_env const env_;
  Spinner& spinner_;
  int32_t* control_ = nullptr;
  napi_ref on_grant_ = nullptr;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::vector<uint32_t> vacant_;
  std::map<SharedObject*, uint32_t> by_object_;
  Seat* all_held_[kMostHeld];  // only the first held_ elements are used
  unsigned held_ = 0;
  unsigned fresh_ = 0;
  std::vector<uint32_t> collected_;  // the seats that were collected from agents since TakeFresh
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
};

}  // namespace shmkit
