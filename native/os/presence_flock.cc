// A lock file per token, in /tmp. This is for systems without open-file-description locks (macOS).
// It also builds and runs on Linux, so that it is tested.
#include "presence_files.h"
#include "presence_token.h"

namespace shmkit::os {

namespace {

constexpr PresenceFiles kFiles{"/tmp/shmkit-presence-", ".lock"};

}  // namespace

Result<Presence> Presence::Enter() {
  for (int draw = 0; draw < kMostDraws; ++draw) {
    const uint64_t token = DrawToken();
    const Result<int> taken = kFiles.Take(token);
    if (taken.ok()) return Presence(token, taken.value());
    if (taken.failure().error != EBUSY) return taken.failure();
  }
  return Failure{EBUSY, "flock"};
}

void Presence::Leave() {
  if (token_ == 0) return;
  kFiles.Leave(token_, static_cast<int>(handle_));
  token_ = 0;
  handle_ = -1;
}

bool Presence::IsPresent(uint64_t token) const {
  if (!IsToken(token)) return false;
  return token == token_ || kFiles.IsPresent(token);
}

}  // namespace shmkit::os
