// The watches of one environment, by number. A watch is a wait for a word in shared memory on
// behalf of JavaScript tasks. The event loop looks at the word itself for a moment. Then a thread
// waits, which each watch has for itself.
#pragma once

#include <memory>
#include <vector>

#include "../core/watch_thread.h"
#include "mailbox.h"
#include "spinner.h"

namespace shmkit {

class Watches : private Spinner::Client {
 public:
  Watches(napi_env env, Spinner& spinner) : env_(env), spinner_(spinner) {}
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
    os::WaitWord* word = nullptr;
    // Of the last call of Watch.
    uint32_t seen = 0;
    os::Deadline until = os::Deadline::Never();
    bool was_watched = false;
    bool expecting = false;
    bool spinning = false;
    bool threaded = false;  // its thread waits
    int64_t began = 0;      // when the wait did, unless it goes on
    SpinHistory history;
  };

  // Null if the watch was closed, or never existed.
  Slot* At(uint32_t index) {
    return index < slots_.size() && slots_[index].thread ? &slots_[index] : nullptr;
  }

  Seen Look(uint32_t index) override;
  void Tell(uint32_t index) override;
  void GiveUp(uint32_t index) override;
  SpinHistory& HistoryOf(uint32_t index) override;

  // Lets the thread wait. False if the system cannot start it.
  bool Arm(Slot& slot);
  // The slot waits for nothing any more.
  void End(Slot& slot);

  napi_env const env_;
  Spinner& spinner_;
  napi_ref on_news_ = nullptr;
  std::vector<Slot> slots_;
  std::vector<uint32_t> vacant_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
};

}  // namespace shmkit
