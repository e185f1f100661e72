// A named kernel event, which disappears with its last handle. The holder has the handle, and
// processes that it starts do not inherit it. A check opens the event, and so keeps it alive for a
// moment. Another check at that very moment still finds the holder present.
// Semantics: CreateEventW and OpenEventW in Microsoft's documentation.
#include <windows.h>

#include <cstdio>
#include <string>

#include "presence_token.h"
#include "win32.h"

namespace shmkit::os {

namespace {

std::wstring NameOf(uint64_t token) {
  char name[64];
  snprintf(name, sizeof name, "shmkit.presence.%013llx", static_cast<unsigned long long>(token));
  return LocalName(name);
}

}  // namespace

Result<Presence> Presence::Enter() {
  for (int draw = 0; draw < kMostDraws; ++draw) {
    const uint64_t token = DrawToken();
    HANDLE event = CreateEventW(nullptr, TRUE, FALSE, NameOf(token).c_str());
    if (!event) return LastFailure("CreateEventW");
    if (GetLastError() != ERROR_ALREADY_EXISTS) {
      return Presence(token, reinterpret_cast<intptr_t>(event));
    }
    CloseHandle(event);
  }
  return Failure{EBUSY, "CreateEventW"};
}

void Presence::Leave() {
  if (token_ == 0) return;
  CloseHandle(reinterpret_cast<HANDLE>(handle_));
  token_ = 0;
  handle_ = 0;
}

bool Presence::IsPresent(uint64_t token) const {
  if (!IsToken(token)) return false;
  if (token == token_) return true;
  HANDLE event = OpenEventW(SYNCHRONIZE, FALSE, NameOf(token).c_str());
  // Any other failure, such as no access to another user's event, shows that the event exists (P4).
  if (!event) return GetLastError() != ERROR_FILE_NOT_FOUND;
  CloseHandle(event);
  return true;
}

}  // namespace shmkit::os
