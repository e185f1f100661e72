#include "alarm.h"

namespace shmkit {

void Alarm::Initialize(napi_value on_alarm) {
  napi_create_reference(env_, on_alarm, 1, &on_alarm_);
}

bool Alarm::Set(const os::Deadline& moment) {
  if (!mailbox_->is_open()) {
    napi_value on_alarm = nullptr;
    napi_get_reference_value(env_, on_alarm_, &on_alarm);
    if (!mailbox_->Open(env_, on_alarm)) return false;
  }
  if (!thread_) {
    thread_ = std::make_shared<AlarmThread>([mailbox = mailbox_] { mailbox->Post(0); });
  }
  return thread_->Set(moment);
}

void Alarm::Expect(bool expects) {
  if (expects == expecting_ || !mailbox_->is_open()) return;
  expecting_ = expects;
  if (expects) {
    mailbox_->Expect(env_);
  } else {
    mailbox_->Unexpect(env_);
  }
}

void Alarm::Leave() {
  if (thread_) thread_->Quit();
  thread_.reset();
}

}  // namespace shmkit
