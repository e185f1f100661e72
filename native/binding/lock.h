#pragma once

#include <napi.h>

namespace shmkit {

void ExportLocks(Napi::Env env, Napi::Object exports);

}  // namespace shmkit
