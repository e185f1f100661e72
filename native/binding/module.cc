#include <napi.h>

#include "../os/module.h"
#include "clock.h"
#include "endings.h"
#include "environment.h"
#include "lock.h"
#include "object.h"
#include "segment.h"

namespace {

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  shmkit::os::PinModule();
  shmkit::Environment::Make(env);
  shmkit::ExportSegments(env, exports);
  shmkit::ExportObjects(env, exports);
  shmkit::ExportLocks(env, exports);
  shmkit::ExportClock(env, exports);
  shmkit::ExportEndings(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(shmkit, Initialize)
