#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>

#include "random.h"

namespace shmkit::os {

void FillRandom(void* data, size_t bytes) {
  // On Windows, it has no state, and asks the system each time.
  std::random_device source;
  for (size_t at = 0; at < bytes; at += sizeof(uint32_t)) {
    const uint32_t word = source();
    memcpy(static_cast<char*>(data) + at, &word, std::min(sizeof word, bytes - at));
  }
}

}  // namespace shmkit::os
