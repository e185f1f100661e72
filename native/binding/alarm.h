// The alarm of one environment: a timer that calls a JavaScript function when a moment has come.
// JavaScript's own timers are not used, because the program may replace them.
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

  // `on_alarm` is called when the moment has come.
  void Initialize(napi_value on_alarm);

  // Replaces the moment that was set before. False if the system cannot start a thread.
  bool Set(const os::Deadline& moment);
  // Sets whether the event loop is kept alive until the alarm.
  void Expect(bool expects);

  // Called when the environment ends. Makes the alarm's thread end.
  void Leave();

 private:
  napi_env const env_;
  napi_ref on_alarm_ = nullptr;
  bool expecting_ = false;
  std::shared_ptr<AlarmThread> thread_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
};

}  // namespace shmkit
