#include "seats.h"

namespace shmkit {

void Seats::Initialize(int32_t* control, napi_value on_grant) {
  control_ = control;
  napi_create_reference(env_, on_grant, 1, &on_grant_);
}

uint32_t Seats::Add(SharedObject* object) {
  const auto known = by_object_.find(object);
  if (known != by_object_.end()) {
    object->DropReference();  // the seat has one
    return known->second;
  }
  auto index = static_cast<uint32_t>(seats_.size());
  if (vacant_.empty()) {
    seats_.emplace_back();
  } else {
    index = vacant_.back();
    vacant_.pop_back();
  }
  seats_[index] = std::make_unique<Seat>(object, index);
  by_object_.emplace(object, index);
  return index;
}

void Seats::Close(uint32_t index) {
  Seat* const seat = At(index);
  if (!seat) return;
  Cancel(*seat);
  Await(*seat, false);
  if (seat->agent) seat->agent->Quit();
  by_object_.erase(seat->object);
  if (seat->held) {
    // A handle that holds the lock is never closed. So the task that acquired it was interrupted
    // before it knew that it had the lock.
    seat->object->PutBack(Acquired::kAbandoned);
    NoteRelease(*seat);
  }
  seat->object->DropReference();
  seats_[index].reset();
  vacant_.push_back(index);
}

void Seats::NoteHeld(Seat& seat) {
  if (seat.held) return;
  seat.held = seat.fresh = true;
  seat.place = held_;
  all_held_[held_++] = &seat;
  ++fresh_;
}

void Seats::NoteRelease(Seat& seat) {
  Seat* const last = all_held_[--held_];
  last->place = seat.place;
  all_held_[seat.place] = last;
  if (seat.fresh) --fresh_;
  seat.held = seat.fresh = false;
}

Acquired Seats::NoteCollected(Seat& seat, Acquired acquired) {
  if (acquired == Acquired::kTimeout) return acquired;
  Unrequest(seat);
  seat.taken = acquired == Acquired::kYes || acquired == Acquired::kAbandoned;
  if (seat.taken) collected_.push_back(seat.index);
  return acquired;
}

void Seats::ReleaseByAgent(Seat& seat) {
  seat.agent->Release();
  seat.taken = false;
}

Seat* Seats::Find(SharedObject* object) {
  const auto known = by_object_.find(object);
  return known == by_object_.end() ? nullptr : At(known->second);
}

bool Seats::Holds(SharedObject* object) {
  const Seat* const seat = Find(object);
  return seat && (seat->held || seat->taken);
}

void Seats::GiveUp(SharedObject* object) {
  Seat* const seat = Find(object);
  if (!seat) return;
  if (seat->held) {
    object->PutBack(Acquired::kAbandoned);
    NoteRelease(*seat);
  } else if (seat->taken) {
    object->Abandon();
    ReleaseByAgent(*seat);
    seat->agent->AwaitReturn();
  }
}

std::vector<uint32_t> Seats::TakeFresh() {
  std::vector<uint32_t> all;
  for (unsigned i = 0; i < held_ && fresh_ > 0; i++) {
    if (!all_held_[i]->fresh) continue;
    all_held_[i]->fresh = false;
    --fresh_;
    all.push_back(all_held_[i]->index);
  }
  for (const uint32_t index : collected_) {
    const Seat* const seat = At(index);
    if (seat && seat->taken) all.push_back(index);
  }
  collected_.clear();
  return all;
}

bool Seats::OpenMailbox() {
  if (mailbox_->is_open()) return true;
  napi_value on_grant = nullptr;
  napi_get_reference_value(env_, on_grant_, &on_grant);
  return mailbox_->Open(env_, on_grant);
}

bool Seats::Request(uint32_t index, bool spins) {
  Seat* const seat = At(index);
  if (!seat || !OpenMailbox()) return false;
  if (seat->requested) {
    if (Ask(*seat)) return true;
    Unrequest(*seat);
    return false;
  }
  seat->spinning = spins && spinner_.Begin(*this, index);
  if (!seat->spinning && !Ask(*seat)) return false;
  mailbox_->Expect(env_);
  seat->requested = true;
  return true;
}

bool Seats::Ask(Seat& seat) {
  if (seat.spinning) spinner_.End(*this, seat.index);
  seat.spinning = false;
  if (!seat.agent) {
    seat.agent = std::make_shared<AgentThread>(
        seat.object, [mailbox = mailbox_, index = seat.index] { mailbox->Post(index); });
  }
  return seat.agent->Request();
}

Spinner::Client::Seen Seats::Look(uint32_t index) {
  Seat& seat = *seats_[index];
  const Acquired before = Before(seat);
  const Acquired outcome = before == Acquired::kTimeout ? seat.object->TryLock() : before;
  switch (outcome) {
    case Acquired::kTimeout:
      return Seen::kNothing;
    case Acquired::kShallow:
    case Acquired::kTooManyHeld:
      return Seen::kOver;  // the agent can get it
    default:
      seat.tried = before == Acquired::kTimeout ? Note(seat, outcome) : outcome;
      return Seen::kNews;
  }
}

void Seats::Tell(uint32_t index) {
  seats_[index]->spinning = false;
  CallWithNumber(env_, on_grant_, index);
  // The call may have closed the seat.
  Seat* const still = At(index);
  if (!still || !still->tried) return;
  PutBackTried(*still);
  // If it was interrupted, the tasks still wait.
  if (still->requested) (void)Ask(*still);
}

void Seats::GiveUp(uint32_t index) {
  Seat& seat = *seats_[index];
  if (Ask(seat)) return;
  seat.tried = Acquired::kTimeout;
  CallWithNumber(env_, on_grant_, index);
  Seat* const still = At(index);
  if (still) PutBackTried(*still);
}

SpinHistory& Seats::HistoryOf(uint32_t index) { return seats_[index]->history; }

std::optional<Acquired> Seats::Collect(Seat& seat) {
  std::optional<Acquired> outcome = seat.tried;
  seat.tried.reset();
  if (outcome) {
    Unrequest(seat);
  } else if (seat.agent) {
    outcome = seat.agent->Collect();
    if (outcome) NoteCollected(seat, *outcome);
  }
  return outcome;
}

// If the lock was got for tasks that do not want it any more.
void Seats::PutBackTried(Seat& seat) {
  const std::optional<Acquired> outcome = seat.tried;
  seat.tried.reset();
  if (!outcome || !seat.held) return;
  seat.object->PutBack(*outcome);
  NoteRelease(seat);
}

void Seats::Cancel(Seat& seat) {
  Unrequest(seat);
  if (seat.spinning) spinner_.End(*this, seat.index);
  seat.spinning = false;
  PutBackTried(seat);
  if (seat.agent) seat.agent->Cancel();
}

void Seats::Unrequest(Seat& seat) {
  if (seat.requested) mailbox_->Unexpect(env_);
  seat.requested = false;
}

bool Seats::Await(Seat& seat, bool awaited) {
  if (seat.awaited == awaited) return true;
  if (!OpenMailbox()) return false;
  if (awaited) {
    mailbox_->Expect(env_);
  } else {
    mailbox_->Unexpect(env_);
  }
  seat.awaited = awaited;
  return true;
}

void Seats::LetGo() {
  while (held_ > 0) {
    Seat& seat = *all_held_[held_ - 1];
    seat.object->PutBack(Acquired::kAbandoned);
    NoteRelease(seat);
  }
  // First tell all agents, then wait for each: they put back the locks on their own.
  for (const auto& seat : seats_) {
    if (seat && seat->agent) seat->agent->Quit();
  }
  for (const auto& seat : seats_) {
    if (seat && seat->agent) seat->agent->AwaitReturn();
  }
}

void Seats::Leave() {
  LetGo();
  for (const auto& seat : seats_) {
    if (seat) seat->object->DropReference();
  }
  seats_.clear();
  by_object_.clear();
  held_ = fresh_ = 0;
  control_ = nullptr;
}

}  // namespace shmkit
