// Time for JavaScript. A program may replace JavaScript's own clocks and timers, and an
// administrator may set them.
#include "clock.h"

#include "../os/clock.h"

#include "environment.h"
#include "exports.h"
#include "values.h"

namespace shmkit {

namespace {

constexpr double kNanosecondsAMillisecond = 1e6;

// The index at which the hot calls leave the time, in the words that both sides can access.
// Creating a number would cost as much as the clock.
constexpr size_t kTimeAt = 4;

void Tell(napi_env env, int64_t nanoseconds) {
  double* const operands = Environment::Of(env).seats.operands();
  operands[kTimeAt] = static_cast<double>(nanoseconds) / kNanosecondsAMillisecond;
}

// now(): leaves the time of the clock that waits use, in milliseconds.
napi_value Now(napi_env env, napi_callback_info) {
  Tell(env, os::SteadyNanoseconds());
  return nullptr;
}

// sinceBoot(): the same for the clock that all processes share.
napi_value SinceBoot(napi_env env, napi_callback_info) {
  Tell(env, os::SinceBootNanoseconds());
  return nullptr;
}

// () -> the wall-clock time in milliseconds since 1970. Only for people to read, because the clock
// may be set.
Napi::Value TimeOfDay(const Napi::CallbackInfo& info) {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  const std::chrono::duration<double, std::milli> milliseconds = since;
  return Napi::Number::New(info.Env(), milliseconds.count());
}

// (function that is called when the alarm's moment has come)
Napi::Value AlarmInitialize(const Napi::CallbackInfo& info) {
  Environment::Of(info.Env()).alarm.Initialize(info[0]);
  return info.Env().Undefined();
}

// (milliseconds) -> whether a thread could be started to wait
Napi::Value AlarmSet(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Environment::Of(info.Env()).alarm.Set(DeadlineOf(info[0])));
}

// (whether the event loop is kept alive until the alarm)
Napi::Value AlarmExpect(const Napi::CallbackInfo& info) {
  Environment::Of(info.Env()).alarm.Expect(info[0].As<Napi::Boolean>());
  return info.Env().Undefined();
}

}  // namespace

void ExportClock(Napi::Env env, Napi::Object exports) {
  ExportAll(env, exports,
            {
                {"now", Now},
                {"sinceBoot", SinceBoot},
                {"timeOfDay", TimeOfDay},
                {"alarmInitialize", AlarmInitialize},
                {"alarmSet", AlarmSet},
                {"alarmExpect", AlarmExpect},
            });
}

}  // namespace shmkit
