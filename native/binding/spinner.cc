#include "spinner.h"

#include <algorithm>

#include "../core/spin_time.h"
#include "../os/clock.h"
#include "../os/thread.h"

namespace shmkit {

bool Spinner::Begin(Client& client, uint32_t index) {
  const double microseconds = SpinMicroseconds();
  if (microseconds == 0 || spins_.size() >= kMost) return false;
  if (!client.HistoryOf(index).IsWorthwhile()) return false;
  if (!is_hooked_) {
    is_hooked_ = true;
    hook_ = LoopHook::Make(
        env_, LoopHook::Point::kIdle, [](void* spinner) { static_cast<Spinner*>(spinner)->Turn(); },
        this);
  }
  if (!hook_) return false;
  if (spins_.empty()) hook_->Start();
  const auto nanoseconds = static_cast<int64_t>(microseconds * 1000);
  const int64_t now = os::SteadyNanoseconds();
  spins_.push_back({&client, index, now, now + nanoseconds});
  return true;
}

void Spinner::End(const Client& client, uint32_t index) {
  const auto is_it = [&](const Spin& spin) {
    return spin.client == &client && spin.index == index;
  };
  spins_.erase(std::remove_if(spins_.begin(), spins_.end(), is_it), spins_.end());
  if (spins_.empty() && hook_) hook_->Stop();
}

// What has news is told of them at once: who looks for a lock has it from then on. What is called
// then may begin to look for more, or end it. So some may be looked at only in the next turn.
void Spinner::Turn() {
  const int64_t now = os::SteadyNanoseconds();
  size_t at = 0;
  for (size_t left = spins_.size(); left > 0 && at < spins_.size(); --left) {
    const Spin spin = spins_[at];
    const Client::Seen seen = spin.client->Look(spin.index);
    if (seen == Client::Seen::kNothing && now < spin.until) {
      ++at;
      continue;
    }
    spins_.erase(spins_.begin() + static_cast<ptrdiff_t>(at));
    spin.client->HistoryOf(spin.index).Note(seen != Client::Seen::kNews);
    if (seen == Client::Seen::kNews) {
      spin.client->Tell(spin.index);
    } else {
      spin.client->GiveUp(spin.index);
    }
  }
  if (spins_.empty()) {
    hook_->Stop();
  } else if (now - spins_.front().began >= kAloneNanoseconds) {
    os::MakeWay();
  }
}

}  // namespace shmkit
