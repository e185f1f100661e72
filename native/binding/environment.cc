#include "environment.h"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <vector>

#include "loop_hook.h"

namespace shmkit {

namespace {

// Never destroyed, because it is used while the process ends.
struct Environments {
  std::mutex guard;
  std::vector<Environment*> all;
};

Environments& TheEnvironments() {
  static auto* environments = new Environments;
  return *environments;
}

}  // namespace

Environment::Environment(napi_env env)
    : spinner(env), seats(env, spinner), watches(env, spinner), alarm(env), env_(env) {
  Environments& known = TheEnvironments();
  const std::lock_guard<std::mutex> guard(known.guard);
  known.all.push_back(this);
}

Environment::~Environment() {
  Environments& known = TheEnvironments();
  const std::lock_guard<std::mutex> guard(known.guard);
  known.all.erase(std::find(known.all.begin(), known.all.end(), this));
}

void Environment::LetGoHere() {
  std::vector<Environment*> here;
  {
    Environments& known = TheEnvironments();
    const std::lock_guard<std::mutex> guard(known.guard);
    const auto is_here = [](const Environment* each) {
      return each->thread_ == std::this_thread::get_id();
    };
    std::copy_if(known.all.begin(), known.all.end(), std::back_inserter(here), is_here);
  }
  // None of them can end in the meantime, because that would need this thread.
  for (Environment* each : here) each->seats.LetGo();
}

void Environment::Make(napi_env env) {
  napi_set_instance_data(
      env, new Environment(env),
      [](napi_env, void* environment, void*) { delete static_cast<Environment*>(environment); },
      nullptr);
}

void Environment::Initialize(int32_t* control, const Callbacks& callbacks) {
  seats.Initialize(control, callbacks.on_grant);
  watches.Initialize(callbacks.on_news);
  napi_create_reference(env_, callbacks.nothing, 1, &nothing_);
  napi_create_reference(env_, callbacks.on_turn, 1, &on_turn_);
  LoopHook* const hook = LoopHook::Make(
      env_, LoopHook::Point::kPrepare,
      [](void* environment) { static_cast<Environment*>(environment)->EndTurn(); }, this);
  if (hook) hook->Start();
  napi_add_env_cleanup_hook(
      env_, [](void* environment) { static_cast<Environment*>(environment)->Leave(); }, this);
}

bool Environment::Alive() {
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

os::Result<os::Presence*> Environment::TakePresence() {
  if (!presence_) {
    os::Result<os::Presence> entered = os::Presence::Enter();
    if (!entered.ok()) return entered.failure();
    presence_ = std::make_unique<os::Presence>(entered.value());
    endings.Enter(presence_->token(), &seats);
  }
  return presence_.get();
}

// Called at the end of a turn of the event loop. Tells JavaScript which locks were acquired in this
// turn and are still held. No JavaScript runs now. So if a task acquired a lock in this turn and
// was not interrupted, JavaScript knows by now that the task holds the lock.
void Environment::EndTurn() {
  if (!seats.AwaitsTurn()) return;
  const std::vector<uint32_t> fresh = seats.TakeFresh();
  napi_handle_scope scope;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  napi_value numbers = nullptr;
  napi_create_array(env_, &numbers);
  for (uint32_t i = 0; i < fresh.size(); i++) {
    napi_value number = nullptr;
    napi_create_uint32(env_, fresh[i], &number);
    napi_set_element(env_, numbers, i, number);
  }
  CallFromLoop(env_, on_turn_, numbers);
  napi_close_handle_scope(env_, scope);
}

// From here on, other threads get what this thread held. Locks go to their next owners like those
// of a dead owner (see Seats). Everything else goes to threads that see that this thread's presence
// has ended.
void Environment::Leave() {
  alarm.Leave();
  watches.Leave();
  // Do this while the seats and the presence of this thread still exist.
  if (presence_) endings.Leave(seats, *presence_);
  seats.Leave();
  if (presence_) presence_->Leave();
  presence_.reset();
}

namespace {

Seat* Checked(napi_env env, Seat* seat) {
  if (!seat) napi_throw_error(env, "ERR_CLOSED", "this handle was closed");
  return seat;
}

}  // namespace

Seat* SeatOf(const Napi::CallbackInfo& info) {
  const uint32_t index = info[0].As<Napi::Number>();
  return Checked(info.Env(), Environment::Of(info.Env()).seats.At(index));
}

Seat* CurrentSeat(napi_env env) { return Checked(env, Environment::Of(env).seats.Current()); }

}  // namespace shmkit
