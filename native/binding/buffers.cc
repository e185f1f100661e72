#include "buffers.h"

namespace shmkit {

#if defined(NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED)

Napi::Value Show(Napi::Env env, Mapping*, Mapping::Audience, size_t, size_t) {
  return env.Undefined();
}

#else

namespace {

// Some runtimes call this on other threads.
void DropBuffer(napi_env, void*, void* mapping) { static_cast<Mapping*>(mapping)->DropBuffer(); }

}  // namespace

Napi::Value Show(Napi::Env env, Mapping* mapping, Mapping::Audience audience, size_t offset,
                 size_t length) {
  mapping->NoteBuffer(audience);
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(env, mapping->bytes() + offset,
                                                              length, DropBuffer, mapping, &buffer);
  if (status == napi_ok) return Napi::Value(env, buffer);
  // A runtime without external memory says so at once. If it fails in another way, it calls the
  // finalizer, now or later, or never. To drop the reference here might drop it twice.
  if (status == napi_no_external_buffers_allowed) mapping->DropBuffer();
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  napi_value ignored;
  if (pending) napi_get_and_clear_last_exception(env, &ignored);
  return env.Undefined();
}

#endif

void Hide(Napi::Env env, Mapping* mapping, napi_value buffer) {
  if (napi_detach_arraybuffer(env, buffer) == napi_ok) mapping->NoteHidden();
}

}  // namespace shmkit
