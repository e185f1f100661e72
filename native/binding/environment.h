// What one environment (a main thread or a worker) has of this library.
#pragma once

#include <napi.h>

#include <memory>
#include <thread>

#include "../os/presence.h"
#include "alarm.h"
#include "endings.h"
#include "seats.h"
#include "watches.h"

namespace shmkit {

class Environment {
 public:
  static Environment& Of(napi_env env) {
    void* environment = nullptr;
    napi_get_instance_data(env, &environment);
    return *static_cast<Environment*>(environment);
  }

  // Hands itself to `env`, which frees it.
  static void Make(napi_env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // The environments of this thread put back all that they hold: it ends the process, which runs no
  // cleanup hook of the thread that calls process.exit(), or whose error nobody catches.
  static void LetGoHere();

  // The array whose first word says which seat the hot calls are about; what is told of locks that
  // were granted, of words that changed, and of turns of the event loop that left something behind;
  // a function that does nothing.
  struct Callbacks {
    napi_value on_grant;
    napi_value on_news;
    napi_value on_turn;
    napi_value nothing;
  };
  void Initialize(int32_t* control, const Callbacks& callbacks);

  // Whether JavaScript still runs here: not when the environment is being ended.
  bool Alive();

  // This thread's presence, from the first call on.
  os::Result<os::Presence*> TakePresence();

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

// The seat that a call is about, its first argument, or the one that the control word names. Null,
// with an exception pending, when it was closed: TypeScript sees to it that none is used after
// that, and a mistake there must not become one of memory.
Seat* SeatOf(const Napi::CallbackInfo& info);
Seat* CurrentSeat(napi_env env);

}  // namespace shmkit
