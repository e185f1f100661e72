// A named kernel event, which goes with its last handle: the holder's, which no process it starts
// inherits. A look opens the event, and so keeps it for that moment: another look in this very
// moment finds the holder present once more.
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
  // Any other failure, such as being refused another user's event, tells that there is one (P4).
  if (!event) return GetLastError() != ERROR_FILE_NOT_FOUND;
  CloseHandle(event);
  return true;
}

}  // namespace shmkit::os
