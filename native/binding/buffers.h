// ArrayBuffers over mapped memory, without a copy.
#pragma once

#include <napi.h>

#include "../core/mapping.h"

namespace shmkit {

// A new ArrayBuffer over part of a mapping, or undefined where the runtime refuses external memory.
Napi::Value Show(Napi::Env env, Mapping* mapping, size_t offset, size_t length);

}  // namespace shmkit
