#include <napi.h>

#include "../os/module.h"
#include "lock.h"
#include "segment.h"

namespace {

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  shmkit::os::PinModule();
  shmkit::ExportSegments(env, exports);
  shmkit::ExportLocks(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(shmkit, Initialize)
