// The functions and numbers for JavaScript, as tables. So the code that creates a function or a
// number, and the code that calls a function, exists only once.
#pragma once

#include <napi.h>

#include <cstdint>
#include <initializer_list>

namespace shmkit {

using Function = Napi::Value (*)(const Napi::CallbackInfo& info);

struct Export {
  Export(const char* called, Function function) : name(called), cold(function) {}
  // For a function that is so hot that it gets its arguments from Node-API itself.
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
