// Making JavaScript values of what the floors below return. Failures go up as data; TypeScript
// makes errors of them.
#pragma once

#include <napi.h>

#include "../core/shared_object.h"
#include "../os/deadline.h"
#include "../os/result.h"

namespace shmkit {

inline Napi::Value ToValue(Napi::Env env, const os::Failure& failure) {
  auto object = Napi::Object::New(env);
  object["code"] = os::ErrorName(failure.error);
  object["errno"] = -failure.error;  // negative, as Node's own system errors have it
  object["syscall"] = failure.call;
  if (failure.place) object["place"] = failure.place;
  if (failure.bytes > 0) object["bytes"] = static_cast<double>(failure.bytes);
  return object;
}

inline Napi::Value ToValue(Napi::Env env, const os::Status& status) {
  return status.ok() ? env.Undefined() : ToValue(env, status.failure());
}

inline Napi::Value ToValue(Napi::Env env, const OpenFailure& why) {
  if (!why.refusal) return ToValue(env, why.failure);
  auto object = Napi::Object::New(env);
  object["refusal"] = static_cast<uint32_t>(*why.refusal);
  object["found"] = why.found;
  return object;
}

// The number of the seat or watch that a call is about, its first argument.
inline uint32_t NumberOf(const Napi::CallbackInfo& info) { return info[0].As<Napi::Number>(); }

// Milliseconds, or undefined for a wait without end.
inline os::Deadline DeadlineOf(const Napi::Value& milliseconds) {
  if (!milliseconds.IsNumber()) return os::Deadline::Never();
  return os::Deadline::After(milliseconds.As<Napi::Number>().DoubleValue());
}

// undefined for kYes: making no value is what keeps the common case fast.
inline napi_value ToValue(napi_env env, Acquired acquired) {
  if (acquired == Acquired::kYes) return nullptr;
  napi_value value = nullptr;
  napi_create_uint32(env, static_cast<uint32_t>(acquired), &value);
  return value;
}

}  // namespace shmkit
