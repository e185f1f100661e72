#pragma once

#include <napi.h>

namespace shmkit {

void ExportObjects(Napi::Env env, Napi::Object exports);

}  // namespace shmkit
