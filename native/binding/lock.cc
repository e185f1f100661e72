// Locks for JavaScript. The hot calls take no argument, and return nothing on success. The seat
// that a call is about is in a word that both sides can access, because passing an argument or
// unwrapping an object costs more than the mutex.
#include "lock.h"

#include "environment.h"
#include "exports.h"
#include "values.h"

namespace shmkit {

namespace {

// How soon a blocked thread notices that its environment is being ended (process.exit in another
// thread, worker.terminate). Ending an environment does not interrupt native code.
constexpr double kInterruptibleMs = 100;

// Waits until the deadline in slices, as long as the environment lives. If the environment is being
// ended, the result does not matter: no JavaScript runs there any more.
template <class Wait>
Acquired WaitInSlices(Environment& here, const os::Deadline& deadline, Wait wait) {
  for (;;) {
    const Acquired outcome = wait(deadline.Within(kInterruptibleMs));
    if (outcome != Acquired::kTimeout || deadline.passed() || !here.Alive()) return outcome;
  }
}

Acquired LockWithin(Environment& here, Seat& seat, const os::Deadline& deadline) {
  // JavaScript was interrupted right after it asked the agent, and does not know that it has asked.
  // If the agent got the lock, nobody would collect it while this thread is blocked.
  if (seat.requested) here.seats.Cancel(seat);
  const auto wait = [&seat](const os::Deadline& slice) { return seat.object->LockUntil(slice); };
  return here.seats.Note(seat, WaitInSlices(here, deadline, wait));
}

Acquired TryLockNow(Seats& seats, Seat& seat) {
  const Acquired before = seats.Before(seat);
  if (before != Acquired::kTimeout) return before;
  return seats.Note(seat, seat.object->TryLock());
}

// tryLock(): undefined, or the reason why not.
napi_value TryLock(napi_env env, napi_callback_info) {
  Seats& seats = Environment::Of(env).seats;
  Seat* const seat = CurrentSeat(env);
  if (!seat) return nullptr;
  Acquired acquired = TryLockNow(seats, *seat);
  if (acquired == Acquired::kTimeout && seat->agent) {
    // The agent may be about to unlock what this thread has released.
    seat->agent->AwaitReturn();
    acquired = TryLockNow(seats, *seat);
  }
  return ToValue(env, acquired);
}

// lock(): the same, but it blocks.
napi_value Lock(napi_env env, napi_callback_info) {
  Environment& here = Environment::Of(env);
  Seat* const seat = CurrentSeat(env);
  if (!seat) return nullptr;
  const Acquired at_once = TryLockNow(here.seats, *seat);
  if (at_once != Acquired::kTimeout) return ToValue(env, at_once);
  return ToValue(env, LockWithin(here, *seat, os::Deadline::Never()));
}

// unlock(): releases the lock that this thread has, itself or through its agent. The result is true
// if the agent has to unlock it, which takes a moment.
napi_value Unlock(napi_env env, napi_callback_info) {
  Seat* const seat = CurrentSeat(env);
  if (!seat) return nullptr;
  if (seat->held) {
    seat->object->Unlock();
    Environment::Of(env).seats.NoteRelease(*seat);
  } else if (seat->taken) {
    Environment::Of(env).seats.ReleaseByAgent(*seat);
    napi_value by_agent = nullptr;
    napi_get_boolean(env, true, &by_agent);
    return by_agent;
  }
  return nullptr;
}

Napi::Value Wrapped(Napi::Env env, Acquired acquired) {
  return acquired == Acquired::kYes ? env.Undefined() : Napi::Value(env, ToValue(env, acquired));
}

// (seat, milliseconds): lock() with a limit
Napi::Value LockTimed(const Napi::CallbackInfo& info) {
  Environment& here = Environment::Of(info.Env());
  Seat* const seat = SeatOf(info);
  if (!seat) return {};
  const Acquired at_once = TryLockNow(here.seats, *seat);
  if (at_once != Acquired::kTimeout) return Wrapped(info.Env(), at_once);
  return Wrapped(info.Env(), LockWithin(here, *seat, DeadlineOf(info[1])));
}

// proveStack(): whether the stack was shown to be large enough, from this far down; see stack.h
napi_value ProveStack(napi_env env, napi_callback_info) {
  napi_value proven = nullptr;
  napi_get_boolean(env, Environment::Of(env).seats.stack.Prove(), &proven);
  return proven;
}

// (seat): marks the lock, so that its next owner is told that this owner died. This thread must
// hold the lock, itself or through its agent, and still holds it after the call.
Napi::Value Abandon(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (seat && (seat->held || seat->taken)) seat->object->Abandon();
  return info.Env().Undefined();
}

// (seat, whether it came with news of a dead owner): gives back a lock that was not used
Napi::Value PutBack(const Napi::CallbackInfo& info) {
  Seat* const seat = SeatOf(info);
  const bool abandoned = info[1].As<Napi::Boolean>();
  if (!seat) return {};
  Seats& seats = Environment::Of(info.Env()).seats;
  if (seat->held) {
    seat->object->PutBack(abandoned ? Acquired::kAbandoned : Acquired::kYes);
    seats.NoteRelease(*seat);
  } else {
    seats.GiveUp(seat->object);
  }
  return info.Env().Undefined();
}

Napi::Value IsLocked(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (!seat) return {};
  if (seat->agent) seat->agent->AwaitReturn();
  return Napi::Boolean::New(info.Env(), seat->object->IsLocked());
}

// (seat, whether this thread holds it, itself or through its agent)
Napi::Value Unlink(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (!seat) return {};
  return ToValue(info.Env(), seat->object->Unlink(info[1].As<Napi::Boolean>() || seat->held));
}

// (seat, whether this thread tries to get it at first) -> whether an agent could be started to wait
Napi::Value AgentRequest(const Napi::CallbackInfo& info) {
  const bool spins = info[1].As<Napi::Boolean>();
  Seats& seats = Environment::Of(info.Env()).seats;
  return Napi::Boolean::New(info.Env(), seats.Request(NumberOf(info), spins));
}

// (seat, whether tasks of this thread wait until another task of this thread releases the lock): if
// so, the event loop is kept alive
Napi::Value Await(const Napi::CallbackInfo& info) {
  Seat* const seat = SeatOf(info);
  if (seat) Environment::Of(info.Env()).seats.Await(*seat, info[1].As<Napi::Boolean>());
  return info.Env().Undefined();
}

Napi::Value AgentCancel(const Napi::CallbackInfo& info) {
  Seat* const seat = SeatOf(info);
  if (!seat) return {};
  Environment::Of(info.Env()).seats.Cancel(*seat);
  return info.Env().Undefined();
}

// (seat) -> the outcome as a number, or undefined if there is none yet. kTimeout if there will be
// none, because no agent could be started.
Napi::Value AgentCollect(const Napi::CallbackInfo& info) {
  Seat* const seat = SeatOf(info);
  if (!seat) return {};
  const auto outcome = Environment::Of(info.Env()).seats.Collect(*seat);
  if (!outcome) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), static_cast<uint32_t>(*outcome));
}

// (seat, milliseconds or undefined) -> the outcome as a number, or undefined if no agent could be
// started; blocks
Napi::Value AgentCollectWithin(const Napi::CallbackInfo& info) {
  Environment& here = Environment::Of(info.Env());
  Seat* const seat = SeatOf(info);
  if (!seat) return {};
  const auto answer = [&info](Acquired outcome) {
    return Napi::Number::New(info.Env(), static_cast<uint32_t>(outcome));
  };
  const std::optional<Acquired> got = here.seats.Collect(*seat);
  if (got) return *got == Acquired::kTimeout ? info.Env().Undefined() : answer(*got);
  if (seat->held || seat->taken) {
    // This thread was interrupted before it knew that it had the lock; see Seats::Before.
    here.seats.Cancel(*seat);
    return answer(Acquired::kAbandoned);
  }
  // This thread cannot go on trying while it is blocked.
  if ((seat->spinning || !seat->agent) && !here.seats.Ask(*seat)) {
    here.seats.Cancel(*seat);
    return info.Env().Undefined();
  }
  const auto wait = [agent = seat->agent](const os::Deadline& slice) {
    return agent->CollectUntil(slice);
  };
  return answer(here.seats.NoteCollected(*seat, WaitInSlices(here, DeadlineOf(info[1]), wait)));
}

// (seat): blocks for the moment that the agent takes to unlock what this thread has released
Napi::Value AgentAwaitReturn(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (seat && seat->agent) seat->agent->AwaitReturn();
  return info.Env().Undefined();
}

}  // namespace

void ExportLocks(Napi::Env env, Napi::Object exports) {
  ExportAll(env, exports,
            {
                {"lock", Lock},
                {"tryLock", TryLock},
                {"unlock", Unlock},
                {"lockWithin", LockTimed},
                {"lockPutBack", PutBack},
                {"lockAbandon", Abandon},
                {"proveStack", ProveStack},
                {"lockIsLocked", IsLocked},
                {"lockUnlink", Unlink},
                {"lockAwait", Await},
                {"agentRequest", AgentRequest},
                {"agentCancel", AgentCancel},
                {"agentCollect", AgentCollect},
                {"agentCollectWithin", AgentCollectWithin},
                {"agentAwaitReturn", AgentAwaitReturn},
            });
}

}  // namespace shmkit
