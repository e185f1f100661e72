// The words that tasks of one environment wait for, by watch number. A thread watches each of them.
#pragma once

#include <memory>
#include <vector>

#include "../core/watch_thread.h"
#include "mailbox.h"

namespace shmkit {

class Watches {
 public:
  explicit Watches(napi_env env) : env_(env) {}
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  // `on_news` is called with the number of a watch when it is time to look.
  void Initialize(napi_value on_news);

  uint32_t Add(SharedObject* object, os::WaitWord* word);
  void Close(uint32_t index);

  // If `awaited`, the event loop is kept alive until the next news or Cancel. False if the system
  // cannot start a thread.
  bool Watch(uint32_t index, uint32_t seen, const os::Deadline& until, bool awaited);
  // The news has come.
  void Settle(uint32_t index);
  void Cancel(uint32_t index);

  // The environment ends.
  void Leave();

 private:
  struct Slot {
    std::shared_ptr<WatchThread> thread;
    bool expecting = false;
  };

  // Null if the watch was closed, or never existed.
  Slot* At(uint32_t index) {
    return index < slots_.size() && slots_[index].thread ? &slots_[index] : nullptr;
  }

  napi_env const env_;
  napi_ref on_news_ = nullptr;
  std::vector<Slot> slots_;
  std::vector<uint32_t> vacant_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
};

}  // namespace shmkit
