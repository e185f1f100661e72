// Calls at certain points of each turn of an environment's event loop.
//
// Node-API has no such calls, so libuv's own functions are used if they exist.
#pragma once

#include <napi.h>

#include <memory>

#include "libuv.h"

namespace shmkit {

class LoopHook {
 public:
  enum class Point {
    // At the beginning of a turn. While the hook is started, the event loop never goes to sleep.
    kIdle = libuv::kIdle,
    // At the end of a turn: the moment before the thread goes to sleep.
    kPrepare = libuv::kPrepare,
  };

  // A hook that exists until the environment ends, or null if there is no libuv. It is not started.
  // It does not keep the event loop alive.
  static LoopHook* Make(napi_env env, Point point, void (*act)(void* data), void* data);
  LoopHook(const LoopHook&) = delete;
  LoopHook& operator=(const LoopHook&) = delete;

  void Start();
  void Stop();

 private:
  LoopHook() = default;

  static void Call(libuv::Handle* handle);
  static void Close(napi_async_cleanup_hook_handle, void* hook);
  static void Closed(libuv::Handle* handle);

  std::unique_ptr<char[]> handle_;
  Point point_ = Point::kPrepare;
  void (*act_)(void* data) = nullptr;
  void* data_ = nullptr;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
};

}  // namespace shmkit
