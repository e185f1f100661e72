// The ABI word. It prevents processes from sharing a mutex if they use different layouts for it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shmkit::os {

enum class Mechanism : uint8_t { kPthread = 1, kFlock = 2, kWin32 = 3 };
enum class Library : uint8_t { kOther = 0, kGlibc = 1, kMusl = 2, kDarwin = 3, kWindows = 4 };
enum class Machine : uint8_t { kOther = 0, kX64 = 1, kArm64 = 2, kX86 = 3, kArm = 4 };

constexpr Machine ThisMachine() {
#if defined(__x86_64__) || defined(_M_X64)
  return Machine::kX64;
#elif defined(__aarch64__) || defined(_M_ARM64)
  return Machine::kArm64;
#elif defined(__i386__) || defined(_M_IX86)
  return Machine::kX86;
#elif defined(__arm__)
  return Machine::kArm;
#else
  return Machine::kOther;
#endif
}

// From the lowest byte: mechanism, library, machine, and the size of the mutex in bytes.
constexpr uint32_t ComposeAbiWord(Mechanism mechanism, Library library, size_t mutex_bytes) {
  return static_cast<uint32_t>(mechanism) | static_cast<uint32_t>(library) << 8 |
         static_cast<uint32_t>(ThisMachine()) << 16 | static_cast<uint32_t>(mutex_bytes) << 24;
}

}  // namespace shmkit::os
