// Sends numbers from threads of the addon to an environment's own thread, where a JavaScript
// function receives them in the order in which they were posted.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>

namespace shmkit {

class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  // Call it once, on the environment's thread.
  bool Open(napi_env env, napi_value receiver);
  bool is_open() const { return opened_; }
  // May be called on any thread. Does nothing when the environment is gone.
  void Post(uint32_t number);
  // Keeps the event loop alive while something is expected.
  void Expect(napi_env env);
  void Unexpect(napi_env env);

 private:
  void Close();
  static void Deliver(napi_env env, napi_value callback, void* context, void* data);

  bool opened_ = false;
  unsigned expected_ = 0;
  std::mutex mutex_;  // guards function_ between Post and Close
  napi_threadsafe_function function_ = nullptr;
};

}  // namespace shmkit
