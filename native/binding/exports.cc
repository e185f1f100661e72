#include "exports.h"

namespace shmkit {

namespace {

Napi::Value Call(const Napi::CallbackInfo& info) {
  return reinterpret_cast<Function>(info.Data())(info);
}

}  // namespace

void ExportAll(Napi::Env env, Napi::Object exports, std::initializer_list<Export> functions) {
  for (const Export& each : functions) {
    napi_value value = nullptr;
    if (each.hot) {
      napi_create_function(env, each.name, NAPI_AUTO_LENGTH, each.hot, nullptr, &value);
    } else {
      value = Napi::Function::New<Call>(env, each.name, reinterpret_cast<void*>(each.cold));
    }
    napi_set_named_property(env, exports, each.name, value);
  }
}

Napi::Object ToObject(Napi::Env env, std::initializer_list<Number> numbers) {
  auto object = Napi::Object::New(env);
  for (const Number& each : numbers) object.Set(each.name, each.value);
  return object;
}

}  // namespace shmkit
