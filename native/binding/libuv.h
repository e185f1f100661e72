// libuv's functions, if the program that loaded the addon has them (Node, Electron). They are
// looked up by name, so that programs without them can load the addon, too.
#pragma once

#include <napi.h>

#include "../os/module.h"

struct uv_loop_s;

namespace shmkit::libuv {

// libuv's interface, which is stable within version 1.
using Handle = void;
using Callback = void (*)(Handle*);

// Values of uv_handle_type.
constexpr int kAsync = 1;
constexpr int kIdle = 6;
constexpr int kPrepare = 9;
constexpr int kSignal = 16;

template <typename Function>
bool Find(const char* name, Function* function) {
  *function = reinterpret_cast<Function>(os::FindInProgram(name));
  return *function != nullptr;
}

// The event loop of an environment, or null. Bun has functions with these names, but some of them
// do nothing, and others abort the process, including those for loops and signals.
uv_loop_s* LoopOf(napi_env env);

}  // namespace shmkit::libuv
