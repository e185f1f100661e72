#include "mailbox.h"

#include "environment.h"

namespace shmkit {

bool Mailbox::Open(napi_env env, napi_value receiver) {
  napi_value label = nullptr;
  napi_create_string_utf8(env, "shmkit", NAPI_AUTO_LENGTH, &label);
  if (napi_create_threadsafe_function(env, receiver, nullptr, label, 0, 1, nullptr, nullptr,
                                      nullptr, Deliver, &function_) != napi_ok) {
    return false;
  }
  napi_unref_threadsafe_function(env, function_);
  opened_ = true;
  // Hooks run last in, first out: this hook runs before the threadsafe function's own.
  napi_add_env_cleanup_hook(
      env,
      [](void* held) {
        auto* mailbox = static_cast<std::shared_ptr<Mailbox>*>(held);
        (*mailbox)->Close();
        delete mailbox;
      },
      new std::shared_ptr<Mailbox>(shared_from_this()));
  return true;
}

void Mailbox::Close() {
  const std::lock_guard<std::mutex> guard(mutex_);
  if (function_) napi_release_threadsafe_function(function_, napi_tsfn_abort);
  function_ = nullptr;
}

void Mailbox::Post(uint32_t number) {
  const std::lock_guard<std::mutex> guard(mutex_);
  if (!function_) return;
  // The queue is unbounded, so this fails only while the environment is ending.
  napi_call_threadsafe_function(function_, reinterpret_cast<void*>(static_cast<uintptr_t>(number)),
                                napi_tsfn_nonblocking);
}

void Mailbox::Expect(napi_env env) {
  if (expected_++ == 0) napi_ref_threadsafe_function(env, function_);
}

void Mailbox::Unexpect(napi_env env) {
  if (--expected_ == 0) napi_unref_threadsafe_function(env, function_);
}

void CallFromLoop(napi_env env, napi_ref function, napi_value argument) {
  napi_value callback = nullptr;
  napi_value global = nullptr;
  napi_get_reference_value(env, function, &callback);
  napi_get_global(env, &global);
  if (napi_make_callback(env, nullptr, global, callback, 1, &argument, nullptr) ==
      napi_pending_exception) {
    // In an environment that is being ended, the call fails like that, and there is no error.
    bool is_error = false;
    napi_is_exception_pending(env, &is_error);
    napi_value error = nullptr;
    if (is_error && napi_get_and_clear_last_exception(env, &error) == napi_ok &&
        Environment::Of(env).Alive()) {
      napi_fatal_exception(env, error);
    }
  }
}

void CallWithNumber(napi_env env, napi_ref function, uint32_t number) {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value argument = nullptr;
  napi_create_uint32(env, number, &argument);
  CallFromLoop(env, function, argument);
  napi_close_handle_scope(env, scope);
}

void Mailbox::Deliver(napi_env env, napi_value callback, void*, void* data) {
  if (!env) return;  // the environment is gone, and so are its tasks
  napi_value number = nullptr;
  napi_value global = nullptr;
  napi_create_uint32(env, static_cast<uint32_t>(reinterpret_cast<uintptr_t>(data)), &number);
  napi_get_global(env, &global);
  napi_call_function(env, global, callback, 1, &number, nullptr);
}

}  // namespace shmkit
