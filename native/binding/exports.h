// What JavaScript is given, by tables: the code that makes a function or a number, and calls a
// function, is there once.
#pragma once

#include <napi.h>

#include <cstdint>
#include <initializer_list>

namespace shmkit {

using Function = Napi::Value (*)(const Napi::CallbackInfo& info);

struct Export {
  Export(const char* called, Function function) : name(called), cold(function) {}
  // One that is so hot that it asks Node-API for its arguments itself.
  Export(const char* called, napi_callback function) : name(called), hot(function) {}

  const char* name;
  Function cold = nullptr;
  napi_callback hot = nullptr;
};

void ExportAll(Napi::Env env, Napi::Object exports, std::initializer_list<Export> functions);

struct Number {
  template <typename Value>
  Number(const char* called, Value number) : name(called), value(static_cast<uint32_t>(number)) {}

  const char* name;
  uint32_t value;
};

Napi::Object ToObject(Napi::Env env, std::initializer_list<Number> numbers);

}  // namespace shmkit
