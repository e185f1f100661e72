// Draws tokens: the part that all presence mechanisms share.
#pragma once

#include "presence.h"
#include "random.h"

namespace shmkit::os {

// How many random tokens are tried if a token is in use already. Even the first one is almost
// always free.
constexpr int kMostDraws = 16;

inline uint64_t DrawToken() {
  uint64_t token;
  do token = Random<uint64_t>() & kMaxToken;
  while (token == 0);
  return token;
}

inline bool IsToken(uint64_t number) { return number != 0 && number <= kMaxToken; }

}  // namespace shmkit::os
