// Contract: random bytes of the system.
//
// This is not std::random_device: each one that is made asks the processor what it can do, and in a
// virtual machine that takes tens of microseconds.
//
// Mechanisms: random_posix.cc, random_win32.cc. The build files choose.
#pragma once

#include <cstddef>

namespace shmkit::os {

// Fills memory with at most 256 random bytes.
void FillRandom(void* data, size_t bytes);

template <typename T>
T Random() {
  T value;
  FillRandom(&value, sizeof value);
  return value;
}

}  // namespace shmkit::os
