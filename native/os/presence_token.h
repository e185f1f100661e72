// Draws tokens: the part that all presence mechanisms share.
#pragma once

#include <random>

#include "presence.h"

namespace shmkit::os {

// Even a single collision with a used token is almost impossible.
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
