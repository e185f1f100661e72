// libuv's functions, where the program that loaded the addon has them (Node, Electron). They are
// looked up by name: programs without them load the addon as well.
#pragma once

#include <napi.h>

#include "../os/module.h"

struct uv_loop_s;

namespace shmkit::libuv {

// Its interface, which is stable within its version 1.
using Handle = void;
using Callback = void (*)(Handle*);

// Of uv_handle_type.
constexpr int kAsync = 1;
constexpr int kPrepare = 9;
constexpr int kSignal = 16;

template <typename Function>
bool Find(const char* name, Function* function) {
  *function = reinterpret_cast<Function>(os::FindInProgram(name));
  return *function != nullptr;
}

// The event loop of an environment, or null. Bun has functions of these names, of which some do
// nothing, and others abort the process: those for loops and signals do.
uv_loop_s* LoopOf(napi_env env);

}  // namespace shmkit::libuv
