// Looks for news on the event loop itself for a moment, before a thread is asked to wait for them.
//
// When a thread waits on behalf of the event loop, two threads have to be woken: that one, and then
// the event loop's. On machines whose processors go idle, that takes 50 to 100 us. But the news
// often come sooner than that, because another process answers at once. So for a moment, the event
// loop goes round without going to sleep, and looks each time. It serves everything else meanwhile.
//
// It does not do so where there is no libuv.
#pragma once

#include <napi.h>

#include <cstdint>
#include <vector>

#include "../core/spin_history.h"
#include "loop_hook.h"

namespace shmkit {

class Spinner {
 public:
  // Who has something to look for, each thing by a number.
  class Client {
   public:
    enum class Seen { kNothing, kNews, kOver };
    virtual Seen Look(uint32_t index) = 0;
    // Called at once after kNews. It is not looked for any more.
    virtual void Tell(uint32_t index) = 0;
    // The same when it was looked for long enough, or after kOver.
    virtual void GiveUp(uint32_t index) = 0;
    // What came of looking for it before.
    virtual SpinHistory& HistoryOf(uint32_t index) = 0;

   protected:
    ~Client() = default;
  };

  explicit Spinner(napi_env env) : env_(env) {}
  Spinner(const Spinner&) = delete;
  Spinner& operator=(const Spinner&) = delete;

  // Begins to look, for as long as SpinMicroseconds says, if that is worthwhile. False if it does
  // not.
  bool Begin(Client& client, uint32_t index);
  void End(const Client& client, uint32_t index);

 private:
  // More of them would take longer to look at than it is worth.
  static constexpr size_t kMost = 8;

  struct Spin {
    Client* client;
    uint32_t index;
    // Nanoseconds, on the monotonic clock.
    int64_t began;
    int64_t until;
  };

  void Turn();

  napi_env const env_;
  LoopHook* hook_ = nullptr;
  bool is_hooked_ = false;  // whether it was tried to get a hook
  std::vector<Spin> spins_;
};

}  // namespace shmkit
