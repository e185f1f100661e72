#include "loop_hook.h"

namespace shmkit {

namespace {

using libuv::Callback;
using libuv::Handle;

struct HookFunctions {
  size_t (*handle_size)(int type);
  int (*init_idle)(uv_loop_s* loop, Handle* idle);
  int (*start_idle)(Handle* idle, Callback callback);
  int (*stop_idle)(Handle* idle);
  int (*init_prepare)(uv_loop_s* loop, Handle* prepare);
  int (*start_prepare)(Handle* prepare, Callback callback);
  int (*stop_prepare)(Handle* prepare);
  void (*set_data)(Handle* handle, void* data);
  void* (*get_data)(const Handle* handle);
  void (*unref)(Handle* handle);
  void (*close)(Handle* handle, Callback closed);

  bool Find() {
    return libuv::Find("uv_handle_size", &handle_size) && libuv::Find("uv_idle_init", &init_idle) &&
           libuv::Find("uv_idle_start", &start_idle) && libuv::Find("uv_idle_stop", &stop_idle) &&
           libuv::Find("uv_prepare_init", &init_prepare) &&
           libuv::Find("uv_prepare_start", &start_prepare) &&
           libuv::Find("uv_prepare_stop", &stop_prepare) &&
           libuv::Find("uv_handle_set_data", &set_data) &&
           libuv::Find("uv_handle_get_data", &get_data) && libuv::Find("uv_unref", &unref) &&
           libuv::Find("uv_close", &close);
  }
};

// There is one for the process, because all environments use the same functions.
HookFunctions& TheHookFunctions() {
  static HookFunctions functions;
  return functions;
}

}  // namespace

LoopHook* LoopHook::Make(napi_env env, Point point, void (*act)(void* data), void* data) {
  static const bool is_found = TheHookFunctions().Find();
  uv_loop_s* const loop = libuv::LoopOf(env);
  if (!is_found || !loop) return nullptr;
  const HookFunctions& uv = TheHookFunctions();
  std::unique_ptr<LoopHook> hook(new LoopHook);
  hook->handle_ = std::make_unique<char[]>(uv.handle_size(static_cast<int>(point)));
  hook->point_ = point;
  hook->act_ = act;
  hook->data_ = data;
  if (napi_add_async_cleanup_hook(env, Close, hook.get(), &hook->cleanup_) != napi_ok) {
    return nullptr;
  }
  Handle* const handle = hook->handle_.get();
  (point == Point::kIdle ? uv.init_idle : uv.init_prepare)(loop, handle);
  uv.set_data(handle, hook.get());
  uv.unref(handle);
  return hook.release();
}

void LoopHook::Start() {
  const HookFunctions& uv = TheHookFunctions();
  (point_ == Point::kIdle ? uv.start_idle : uv.start_prepare)(handle_.get(), Call);
}

void LoopHook::Stop() {
  const HookFunctions& uv = TheHookFunctions();
  (point_ == Point::kIdle ? uv.stop_idle : uv.stop_prepare)(handle_.get());
}

void LoopHook::Call(Handle* handle) {
  const auto* const hook = static_cast<LoopHook*>(TheHookFunctions().get_data(handle));
  hook->act_(hook->data_);
}

// The environment waits for the handle to be closed.
void LoopHook::Close(napi_async_cleanup_hook_handle, void* hook) {
  TheHookFunctions().close(static_cast<LoopHook*>(hook)->handle_.get(), Closed);
}

void LoopHook::Closed(Handle* handle) {
  auto* const hook = static_cast<LoopHook*>(TheHookFunctions().get_data(handle));
  napi_remove_async_cleanup_hook(hook->cleanup_);
  delete hook;
}

}  // namespace shmkit
