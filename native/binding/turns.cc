#include "turns.h"

#include <memory>

#include "../os/module.h"

struct uv_loop_s;

namespace shmkit {

namespace {

// libuv's interface, which is stable within its version 1.
using Handle = void;
using Callback = void (*)(Handle*);
constexpr int kPrepareHandle = 9;  // UV_PREPARE

struct Libuv {
  size_t (*handle_size)(int type);
  int (*prepare_init)(uv_loop_s* loop, Handle* prepare);
  int (*prepare_start)(Handle* prepare, Callback callback);
  void (*handle_set_data)(Handle* handle, void* data);
  void* (*handle_get_data)(const Handle* handle);
  void (*unref)(Handle* handle);
  void (*close)(Handle* handle, Callback closed);

  bool Find() {
    return Find("uv_handle_size", &handle_size) && Find("uv_prepare_init", &prepare_init) &&
           Find("uv_prepare_start", &prepare_start) &&
           Find("uv_handle_set_data", &handle_set_data) &&
           Find("uv_handle_get_data", &handle_get_data) && Find("uv_unref", &unref) &&
           Find("uv_close", &close);
  }

 private:
  template <typename Function>
  static bool Find(const char* name, Function* function) {
    *function = reinterpret_cast<Function>(os::FindInProgram(name));
    return *function != nullptr;
  }
};

// One for the process: the same functions for each environment.
Libuv& TheLibuv() {
  static Libuv libuv;
  return libuv;
}

struct Turns {
  std::unique_ptr<char[]> handle;
  void (*act)(void* data) = nullptr;
  void* data = nullptr;
  napi_async_cleanup_hook_handle hook = nullptr;

  static Turns& Of(const Handle* handle) {
    return *static_cast<Turns*>(TheLibuv().handle_get_data(handle));
  }
};

void OnPrepare(Handle* handle) {
  const Turns& turns = Turns::Of(handle);
  turns.act(turns.data);
}

void OnClosed(Handle* handle) {
  Turns* const turns = &Turns::Of(handle);
  napi_remove_async_cleanup_hook(turns->hook);
  delete turns;
}

// The environment waits for the handle to be closed.
void OnEnd(napi_async_cleanup_hook_handle, void* data) {
  auto* const turns = static_cast<Turns*>(data);
  TheLibuv().close(turns->handle.get(), OnClosed);
}

}  // namespace

bool AtEndOfTurns(napi_env env, void (*act)(void* data), void* data) {
  static const bool is_found = TheLibuv().Find();
  uv_loop_s* loop = nullptr;
  if (!is_found || napi_get_uv_event_loop(env, &loop) != napi_ok) return false;
  const Libuv& libuv = TheLibuv();
  auto turns = std::make_unique<Turns>();
  turns->handle = std::make_unique<char[]>(libuv.handle_size(kPrepareHandle));
  turns->act = act;
  turns->data = data;
  Handle* const handle = turns->handle.get();
  if (napi_add_async_cleanup_hook(env, OnEnd, turns.get(), &turns->hook) != napi_ok) return false;
  libuv.prepare_init(loop, handle);
  libuv.handle_set_data(handle, turns.release());
  libuv.prepare_start(handle, OnPrepare);
  libuv.unref(handle);
  return true;
}

}  // namespace shmkit
