// The words that tasks of one environment wait for, each watched by a thread, by watch number.
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

  // What is called with the number of a watch when it is time to look.
  void Initialize(napi_value on_news);

  uint32_t Add(SharedObject* object, os::WaitWord* word);
  void Close(uint32_t index);

  // Until the next news, or Cancel, the event loop is kept alive if that is awaited. False where
  // the system gives no thread.
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

  // Null when it was closed, or never was.
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
