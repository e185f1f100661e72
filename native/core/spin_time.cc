#include "spin_time.h"

#include <algorithm>
#include <cstdlib>

#include "../os/thread.h"

namespace shmkit {

namespace {

constexpr double kSpinMicroseconds = 100;
constexpr double kMostSpinMicroseconds = 1e6;

double SpinAtFirst() {
  const char* const given = std::getenv("SHMKIT_SPIN_US");
  if (given && *given) {
    char* end = nullptr;
    const double number = std::strtod(given, &end);
    if (*end == '\0' && number >= 0) return std::min(number, kMostSpinMicroseconds);
  }
  return os::Processors() > 1 ? kSpinMicroseconds : 0;
}

}  // namespace

double SpinMicroseconds() {
  static const double microseconds = SpinAtFirst();
  return microseconds;
}

}  // namespace shmkit
