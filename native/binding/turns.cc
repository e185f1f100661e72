#include "turns.h"

#include <memory>

#include "libuv.h"

namespace shmkit {

namespace {

using libuv::Callback;
using libuv::Handle;

struct Prepare {
  size_t (*handle_size)(int type);
  int (*init)(uv_loop_s* loop, Handle* prepare);
  int (*start)(Handle* prepare, Callback callback);
  void (*set_data)(Handle* handle, void* data);
  void* (*get_data)(const Handle* handle);
  void (*unref)(Handle* handle);
  void (*close)(Handle* handle, Callback closed);

  bool Find() {
    return libuv::Find("uv_handle_size", &handle_size) && libuv::Find("uv_prepare_init", &init) &&
           libuv::Find("uv_prepare_start", &start) &&
           libuv::Find("uv_handle_set_data", &set_data) &&
           libuv::Find("uv_handle_get_data", &get_data) && libuv::Find("uv_unref", &unref) &&
           libuv::Find("uv_close", &close);
  }
};

// There is one for the process, because all environments use the same functions.
Prepare& ThePrepare() {
  static Prepare prepare;
  return prepare;
}

struct Turns {
  std::unique_ptr<char[]> handle;
  void (*act)(void* data) = nullptr;
  void* data = nullptr;
  napi_async_cleanup_hook_handle hook = nullptr;

  static Turns& Of(const Handle* handle) {
    return *static_cast<Turns*>(ThePrepare().get_data(handle));
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
  ThePrepare().close(turns->handle.get(), OnClosed);
}

}  // namespace

bool AtEndOfTurns(napi_env env, void (*act)(void* data), void* data) {
  static const bool is_found = ThePrepare().Find();
  uv_loop_s* const loop = libuv::LoopOf(env);
  if (!is_found || !loop) return false;
  const Prepare& prepare = ThePrepare();
  auto turns = std::make_unique<Turns>();
  turns->handle = std::make_unique<char[]>(prepare.handle_size(libuv::kPrepare));
  turns->act = act;
  turns->data = data;
  Handle* const handle = turns->handle.get();
  if (napi_add_async_cleanup_hook(env, OnEnd, turns.get(), &turns->hook) != napi_ok) return false;
  prepare.init(loop, handle);
  prepare.set_data(handle, turns.release());
  prepare.start(handle, OnPrepare);
  prepare.unref(handle);
  return true;
}

}  // namespace shmkit
