#include "libuv.h"

namespace shmkit::libuv {

uv_loop_s* LoopOf(napi_env env) {
  uv_loop_s* loop = nullptr;
  return napi_get_uv_event_loop(env, &loop) == napi_ok ? loop : nullptr;
}

}  // namespace shmkit::libuv
