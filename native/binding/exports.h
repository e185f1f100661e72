// Functions for JavaScript, by tables: the code that makes one, and calls one, is there once.
#pragma once

#include <napi.h>

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

}  // namespace shmkit
