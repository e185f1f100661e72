#include <napi.h>

#include "lock.h"
#include "segment.h"

namespace {

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  shmkit::ExportSegments(env, exports);
  shmkit::ExportLocks(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(shmkit, Initialize)
