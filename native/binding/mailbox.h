// Sends numbers from threads of the addon to an environment's own thread, where a JavaScript
// function receives them in the order in which they were posted.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>

namespace shmkit {

// Calls a function of JavaScript with one argument, from the event loop. Must not be called while
// JavaScript runs. An error of the function is an uncaught one, as of any call from there.
void CallFromLoop(napi_env env, napi_ref function, napi_value argument);
void CallWithNumber(napi_env env, napi_ref function, uint32_t number);

class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  // Sets the function that receives the numbers. Must be called once, on the environment's thread,
  // before the first number is sent. Returns false if it fails.
  bool Open(napi_env env, napi_value receiver);
  bool is_open() const { return opened_; }
  // Sends a number to the receiver. May be called on any thread. Does nothing when the environment
  // is gone.
  void Post(uint32_t number);
  // These keep the event loop alive while a number is expected. Calls are counted: the event loop
  // may end when each call of Expect was followed by a call of Unexpect.
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
