// The alarm of one environment. JavaScript's timers belong to the program, which may replace them.
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
  // Whether the event loop is kept alive until then.
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
