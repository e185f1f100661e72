#include <napi.h>

#include "../os/module.h"
#include "clock.h"
#include "draft.h"
#include "endings.h"
#include "environment.h"
#include "lock.h"
#include "object.h"
#include "segment.h"

namespace {

// When this process ends, lets the thread that ends it give back its locks. Does nothing in a
// process that was forked from this one: the locks that such a process seems to hold are held by
// this process.
void LetGoAtExit() {
  static const int64_t process = shmkit::os::ProcessId();
  [[maybe_unused]] static const bool once = (shmkit::os::AtProcessExit([] {
                                               if (process == shmkit::os::ProcessId())
                                                 shmkit::Environment::LetGoHere();
                                             }),
                                             true);
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  shmkit::os::PinModule();
  LetGoAtExit();
  shmkit::Environment::Make(env);
  shmkit::ExportSegments(env, exports);
  shmkit::ExportDrafts(env, exports);
  shmkit::ExportObjects(env, exports);
  shmkit::ExportLocks(env, exports);
  shmkit::ExportClock(env, exports);
  shmkit::ExportEndings(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(shmkit, Initialize)
