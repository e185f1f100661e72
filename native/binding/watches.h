// The watches of one environment, by number. A watch is a wait for a word in shared memory on
// behalf of JavaScript tasks. Each watch has a thread of its own, which waits.
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

  // `on_news` is called with the number of a watch when JavaScript should look at its word: the
  // word has changed, or the time is over.
  void Initialize(napi_value on_news);

  uint32_t Add(SharedObject* object, os::WaitWord* word);
  void Close(uint32_t index);
  // Also those whose number JavaScript does not know, because it was interrupted before it got it.
  void CloseAllOf(const SharedObject* object);

  // Starts a wait until the word is not `seen`, or until the deadline. Then `on_news` is called. If
  // `awaited`, the event loop is kept alive until Settle or Cancel. Returns false if the system
  // cannot start a thread.
  bool Watch(uint32_t index, uint32_t seen, const os::Deadline& until, bool awaited);
  // Called when `on_news` was called. The watch does not keep the event loop alive any more.
  void Settle(uint32_t index);
  void Cancel(uint32_t index);

  // Called when the environment ends. Makes the threads of all watches end.
  void Leave();

 private:
  struct Slot {
    std::shared_ptr<WatchThread> thread;
    const SharedObject* object = nullptr;
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
