// The objects of one environment (a main thread or a worker), by seat number.
//
// A seat is an environment's use of a SharedObject, one per object however many handles there are,
// so that one thread never competes with itself unknowingly; TypeScript counts the handles. When a
// thread's environment ends, what it holds is put back as a dead owner's (AgentThread A3,
// SharedObject L5). To leave that to the system would leave the names of doomed locks to whoever
// comes next.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <vector>

#include "../core/agent_thread.h"
#include "../core/shared_object.h"
#include "mailbox.h"
#include "stack.h"

namespace shmkit {

struct Seat {
  Seat(SharedObject* of, uint32_t number) : object(of), index(number) {}

  SharedObject* const object;
  const uint32_t index;
  bool held = false;       // by this thread itself
  bool fresh = false;      // since after the last turn of the event loop
  bool requested = false;  // of the agent, and not yet collected
  bool awaited = false;    // by tasks of this thread, of each other
  unsigned place = 0;      // while it is held: where it stands among those that are
  std::shared_ptr<AgentThread> agent;
};

class Seats {
 public:
  explicit Seats(napi_env env) : env_(env) {}
  Seats(const Seats&) = delete;
  Seats& operator=(const Seats&) = delete;

  // The array whose first word says which seat the hot calls are about, and what agents call.
  void Initialize(int32_t* control, napi_value on_grant);

  // The seat of an object, which takes over the caller's reference.
  uint32_t Add(SharedObject* object);
  void Close(uint32_t index);
  // Null when it was closed, or never was.
  Seat* At(uint32_t index) { return index < seats_.size() ? seats_[index].get() : nullptr; }
  Seat* Current() { return At(static_cast<uint32_t>(*control_)); }
  // What else the hot calls are about: the same words as float64.
  double* operands() { return reinterpret_cast<double*>(control_); }

  // Why the lock of a seat is not to be tried, or that it is held already: by this thread, which
  // was interrupted before it knew, or before it gave it back. It is as good as a dead owner then.
  // kTimeout: neither is so.
  Acquired Before(Seat& seat) {
    if (seat.held) return Acquired::kAbandoned;
    if (held_ >= kMostHeld) return Acquired::kTooManyHeld;
    return stack.Suffices() ? Acquired::kTimeout : Acquired::kShallow;
  }
  Acquired Note(Seat& seat, Acquired acquired) {
    if (acquired == Acquired::kYes || acquired == Acquired::kAbandoned) NoteHeld(seat);
    return acquired;
  }
  void NoteRelease(Seat& seat);

  // Those that were acquired since the last turn of the event loop ended, and are still held. They
  // are not told again.
  std::vector<uint32_t> TakeFresh();
  // Whether this thread has the lock of an object, itself or through its agent.
  bool Holds(SharedObject* object);
  // Gives back a lock that it has and will not go on with: the next owner is told so.
  void GiveUp(SharedObject* object);
  // Whether there are any, or JavaScript has something else to look at when a turn ends.
  bool AwaitsTurn() const { return fresh_ > 0 || (control_ && control_[kLookAtEnd] != 0); }

  Stack stack;

  bool Request(uint32_t index);
  void Unrequest(Seat& seat);
  // Whether tasks of this thread wait for each other to release it: as with the agent, the event
  // loop is kept alive. False when it cannot be.
  bool Await(Seat& seat, bool awaited);

  // This thread runs no JavaScript any more: puts back all that it holds, itself or through agents.
  void LetGo();
  // The environment ends.
  void Leave();

 private:
  // The kernel hands on at most 2048 locks of a thread that dies (ROBUST_LIST_LIMIT).
  static constexpr unsigned kMostHeld = 2000;
  // Which word of the array says that JavaScript has something to look at.
  static constexpr unsigned kLookAtEnd = 10;

  void NoteHeld(Seat& seat);
  bool OpenMailbox();
  Seat* Find(SharedObject* object);

  napi_env const env_;
  int32_t* control_ = nullptr;
  napi_ref on_grant_ = nullptr;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::vector<uint32_t> vacant_;
  std::map<SharedObject*, uint32_t> by_object_;
  Seat* all_held_[kMostHeld];  // the first held_ of them
  unsigned held_ = 0;
  unsigned fresh_ = 0;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
};

}  // namespace shmkit
