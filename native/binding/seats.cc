#include "seats.h"

namespace shmkit {

bool Mailbox::Open(napi_env env, napi_value on_grant) {
  napi_value label = nullptr;
  napi_create_string_utf8(env, "shmkit.acquire", NAPI_AUTO_LENGTH, &label);
  if (napi_create_threadsafe_function(env, on_grant, nullptr, label, 0, 1, nullptr, nullptr,
                                      nullptr, Deliver, &function_) != napi_ok) {
    return false;
  }
  napi_unref_threadsafe_function(env, function_);
  return true;
}

void Mailbox::Close() {
  const std::lock_guard<std::mutex> guard(mutex_);
  if (function_) napi_release_threadsafe_function(function_, napi_tsfn_abort);
  function_ = nullptr;
}

void Mailbox::Post(uint32_t seat) {
  const std::lock_guard<std::mutex> guard(mutex_);
  if (!function_) return;
  // The queue is unbounded, so this fails only while the environment is on its way out.
  napi_call_threadsafe_function(function_, reinterpret_cast<void*>(static_cast<uintptr_t>(seat)),
                                napi_tsfn_nonblocking);
}

void Mailbox::Expect(napi_env env) {
  if (expected_++ == 0) napi_ref_threadsafe_function(env, function_);
}

void Mailbox::Unexpect(napi_env env) {
  if (--expected_ == 0) napi_unref_threadsafe_function(env, function_);
}

void Mailbox::Deliver(napi_env env, napi_value callback, void*, void* data) {
  if (!env) return;  // the environment is gone; so is whoever waited
  napi_value seat = nullptr;
  napi_value global = nullptr;
  napi_create_uint32(env, static_cast<uint32_t>(reinterpret_cast<uintptr_t>(data)), &seat);
  napi_get_global(env, &global);
  napi_call_function(env, global, callback, 1, &seat, nullptr);
}

Seats::Seats(napi_env env) : env_(env) {
  napi_set_instance_data(
      env, this, [](napi_env, void* seats, void*) { delete static_cast<Seats*>(seats); }, nullptr);
}

Seats::~Seats() = default;

void Seats::Initialize(int32_t* control, napi_value on_grant, napi_value nothing) {
  control_ = control;
  napi_create_reference(env_, on_grant, 1, &on_grant_);
  napi_create_reference(env_, nothing, 1, &nothing_);
  napi_add_env_cleanup_hook(env_, Leave, this);
}

uint32_t Seats::Add(LockObject* object) {
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
  Seat& seat = At(index);
  Unrequest(seat);
  if (seat.agent) seat.agent->Quit();
  by_object_.erase(seat.object);
  seat.object->DropReference();
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

bool Seats::Alive() {
  napi_handle_scope scope;
  napi_open_handle_scope(env_, &scope);
  napi_value nothing = nullptr;
  napi_value global = nullptr;
  napi_get_reference_value(env_, nothing_, &nothing);
  napi_get_global(env_, &global);
  const bool alive = napi_call_function(env_, global, nothing, 0, nullptr, nullptr) == napi_ok;
  napi_close_handle_scope(env_, scope);
  return alive;
}

bool Seats::Request(uint32_t index) {
  Seat& seat = At(index);
  if (!mailbox_open_) {
    napi_value on_grant = nullptr;
    napi_get_reference_value(env_, on_grant_, &on_grant);
    if (!mailbox_->Open(env_, on_grant)) return false;
    mailbox_open_ = true;
    // Hooks run last in, first out: this one before the threadsafe function's own.
    napi_add_env_cleanup_hook(
        env_, [](void* mailbox) { static_cast<Mailbox*>(mailbox)->Close(); }, mailbox_.get());
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

void Seats::Leave(void* self) {
  auto* seats = static_cast<Seats*>(self);
  for (const auto& seat : seats->seats_) {
    if (!seat) continue;
    if (seat->agent) seat->agent->Quit();
    if (seat->held) seat->object->Pin();
    seat->object->DropReference();
  }
  seats->seats_.clear();
  seats->by_object_.clear();
}

}  // namespace shmkit
