// The alarm of one environment: JavaScript's timers are its program's, which may replace them.
#pragma once

#include <memory>

#include "../core/alarm_thread.h"
#include "mailbox.h"

namespace shmkit {

class Alarm {
 public:
  explicit Alarm(napi_env env) : env_(env) {}
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // What is called when the moment has come.
  void Initialize(napi_value on_alarm);

  // Replaces the moment that was set before. False where the system gives no thread.
  bool Set(const os::Deadline& moment);
  // Whether the event loop is kept alive meanwhile.
  void Expect(bool expects);

  // The environment ends.
  void Leave();

 private:
  napi_env const env_;
  napi_ref on_alarm_ = nullptr;
  bool expecting_ = false;
  std::shared_ptr<AlarmThread> thread_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
};

}  // namespace shmkit
