// ArrayBuffers over mapped memory, without a copy.
#pragma once

#include <napi.h>

#include "../core/mapping.h"

namespace shmkit {

// A new ArrayBuffer over part of a mapping, or undefined if the runtime refuses external memory.
Napi::Value Show(Napi::Env env, Mapping* mapping, Mapping::Audience audience, size_t offset,
                 size_t length);

// Detaches a buffer that only the library has used, so that its length is 0, and tells the mapping.
void Hide(Napi::Env env, Mapping* mapping, napi_value buffer);

}  // namespace shmkit
