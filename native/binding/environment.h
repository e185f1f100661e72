// The state that one environment (a main thread or a worker) has in this library.
#pragma once

#include <napi.h>

#include <memory>
#include <thread>

#include "../os/presence.h"
#include "alarm.h"
#include "endings.h"
#include "seats.h"
#include "spinner.h"
#include "watches.h"

namespace shmkit {

class Environment {
 public:
  static Environment& Of(napi_env env) {
    void* environment = nullptr;
    napi_get_instance_data(env, &environment);
    return *static_cast<Environment*>(environment);
  }

  // Makes one and hands it to `env`, which frees it.
  static void Make(napi_env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // The environments of this thread put back everything that they hold. Called when this thread
  // ends the process: no cleanup hook runs for a thread that calls process.exit(), or that has an
  // uncaught error.
  static void LetGoHere();

  // `control` is the array whose first word says which seat the hot calls are about: the calls that
  // take no arguments, so that they are fast (seats.h). `on_grant` is called when an agent has an
  // outcome, for example the lock. `on_news` is called when a word may have changed. `on_turn` is
  // called at the end of a turn of the event loop, if there are locks that were acquired in that
  // turn and are still held, or if JavaScript asked for the call. `nothing` is a function that does
  // nothing.
  struct Callbacks {
    napi_value on_grant;
    napi_value on_news;
    napi_value on_turn;
    napi_value nothing;
  };
  void Initialize(int32_t* control, const Callbacks& callbacks);

  // Whether JavaScript still runs here. False while the environment is being ended.
  bool Alive();

  // This thread's presence, which the first call creates.
  os::Result<os::Presence*> TakePresence();

  Spinner spinner;
  Seats seats;
  Watches watches;
  Alarm alarm;
  Endings endings;

 private:
  explicit Environment(napi_env env);

  void Leave();
  void EndTurn();

  napi_env const env_;
  const std::thread::id thread_ = std::this_thread::get_id();
  napi_ref nothing_ = nullptr;
  napi_ref on_turn_ = nullptr;
  std::unique_ptr<os::Presence> presence_;
};

// The seat that a call is about: either its first argument, or the one in the control word. If the
// seat was closed, the result is null, with an exception pending. TypeScript makes sure that no
// closed seat is used, but a mistake there must not become a memory error.
Seat* SeatOf(const Napi::CallbackInfo& info);
Seat* CurrentSeat(napi_env env);

}  // namespace shmkit
