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
  seats_[index] = std::make_unique<Seat>(Seat{object, false, false, nullptr});
  by_object_.emplace(object, index);
  return index;
}

void Seats::Close(uint32_t index) {
  Seat* const seat = At(index);
  if (!seat) return;
  Unrequest(*seat);
  if (seat->agent) seat->agent->Quit();
  by_object_.erase(seat->object);
  // It may be the last to use it, of a thread that holds its lock (L5).
  if (seat->held) seat->object->Pin();
  seat->object->DropReference();
  seats_[index].reset();
  vacant_.push_back(index);
}

Acquired Seats::Note(Seat& seat, Acquired acquired) {
  if (acquired == Acquired::kYes || acquired == Acquired::kAbandoned) {
    seat.held = true;
    ++held_;
  }
  return acquired;
}

bool Seats::Request(uint32_t index) {
  Seat* const found = At(index);
  if (!found) return false;
  Seat& seat = *found;
  if (!mailbox_->is_open()) {
    napi_value on_grant = nullptr;
    napi_get_reference_value(env_, on_grant_, &on_grant);
    if (!mailbox_->Open(env_, on_grant)) return false;
  }
  if (!seat.agent) {
    seat.agent = std::make_shared<AgentThread>(
        seat.object, [mailbox = mailbox_, index] { mailbox->Post(index); });
  }
  if (!seat.agent->Request()) return false;
  if (!seat.requested) mailbox_->Expect(env_);
  seat.requested = true;
  return true;
}

void Seats::Unrequest(Seat& seat) {
  if (seat.requested) mailbox_->Unexpect(env_);
  seat.requested = false;
}

void Seats::Leave() {
  for (const auto& seat : seats_) {
    if (!seat) continue;
    if (seat->agent) seat->agent->Quit();
    if (seat->held) seat->object->Pin();
    seat->object->DropReference();
  }
  seats_.clear();
  by_object_.clear();
}

}  // namespace shmkit
