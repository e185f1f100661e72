// The end of each turn of an environment's event loop: the moment before the thread goes to sleep.
//
// Node-API has no such callback, so libuv's own functions are used if they exist.
#pragma once

#include <napi.h>

namespace shmkit {

// Calls a function at the end of each turn until the environment ends. Does not keep the event loop
// alive. False if there is no libuv.
bool AtEndOfTurns(napi_env env, void (*act)(void* data), void* data);

}  // namespace shmkit
