// Makes JavaScript values of what native/core and native/os return. Failures are returned as data,
// and TypeScript makes errors of them.
#pragma once

#include <napi.h>

#include "../core/shared_object.h"
#include "../os/deadline.h"
#include "../os/result.h"

namespace shmkit {

// A plain object that is being made. node-addon-api checks at each step whether it failed, which
// takes five times the code. Here no step can fail, unless the environment is ending.
class Fields {
 public:
  explicit Fields(Napi::Env env) : env_(env) { napi_create_object(env, &object_); }

  [[gnu::noinline]] void Set(const char* key, const char* text) {
    napi_value value = nullptr;
    napi_create_string_utf8(env_, text, NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env_, object_, key, value);
  }
  [[gnu::noinline]] void Set(const char* key, double number) {
    napi_value value = nullptr;
    napi_create_double(env_, number, &value);
    napi_set_named_property(env_, object_, key, value);
  }
  Napi::Value Take() const { return Napi::Value(env_, object_); }

 private:
  const napi_env env_;
  napi_value object_ = nullptr;
};

inline Napi::Value ToValue(Napi::Env env, const os::Failure& failure) {
  Fields fields(env);
  fields.Set("code", os::ErrorName(failure.error));
  fields.Set("errno", -failure.error);  // negative, as in Node's own system errors
  fields.Set("syscall", failure.call);
  if (failure.place) fields.Set("place", failure.place);
  if (failure.bytes > 0) fields.Set("bytes", static_cast<double>(failure.bytes));
  return fields.Take();
}

inline Napi::Value ToValue(Napi::Env env, const os::Status& status) {
  return status.ok() ? env.Undefined() : ToValue(env, status.failure());
}

inline Napi::Value ToValue(Napi::Env env, const OpenFailure& why) {
  if (!why.refusal) return ToValue(env, why.failure);
  Fields fields(env);
  fields.Set("refusal", static_cast<uint32_t>(*why.refusal));
  fields.Set("found", why.found);
  return fields.Take();
}

// The number of the seat or watch that a call is about, its first argument.
inline uint32_t NumberOf(const Napi::CallbackInfo& info) { return info[0].As<Napi::Number>(); }

// From milliseconds, or undefined for a wait without limit.
inline os::Deadline DeadlineOf(const Napi::Value& milliseconds) {
  if (!milliseconds.IsNumber()) return os::Deadline::Never();
  return os::Deadline::After(milliseconds.As<Napi::Number>().DoubleValue());
}

// undefined for kYes: the common case is fast because it creates no value.
inline napi_value ToValue(napi_env env, Acquired acquired) {
  if (acquired == Acquired::kYes) return nullptr;
  napi_value value = nullptr;
  napi_create_uint32(env, static_cast<uint32_t>(acquired), &value);
  return value;
}

}  // namespace shmkit
