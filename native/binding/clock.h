#pragma once

#include <napi.h>

namespace shmkit {

void ExportClock(Napi::Env env, Napi::Object exports);

}  // namespace shmkit
