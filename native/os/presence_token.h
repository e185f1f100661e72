// Drawing tokens: the part that every mechanism of presences shares.
#pragma once

#include <random>

#include "presence.h"

namespace shmkit::os {

// To draw one that somebody has is all but impossible once.
constexpr int kMostDraws = 16;

inline uint64_t DrawToken() {
  std::random_device source;
  uint64_t token;
  do token = (uint64_t{source()} << 32 | source()) & kMaxToken;
  while (token == 0);
  return token;
}

inline bool IsToken(uint64_t number) { return number != 0 && number <= kMaxToken; }

}  // namespace shmkit::os
