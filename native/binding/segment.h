#pragma once

#include <napi.h>

namespace shmkit {

void ExportSegments(Napi::Env env, Napi::Object exports);

}  // namespace shmkit
