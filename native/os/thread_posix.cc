#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <memory>

#include "thread.h"

namespace shmkit::os {

namespace {

void* Run(void* argument) {
  const std::unique_ptr<std::function<void()>> body(static_cast<std::function<void()>*>(argument));
  (*body)();
  return nullptr;
}

}  // namespace

bool StartThread(std::function<void()> body) {
  auto argument = std::make_unique<std::function<void()>>(std::move(body));
  pthread_t thread;
  if (pthread_create(&thread, nullptr, Run, argument.get()) != 0) return false;
  // From here on it belongs to the thread.
  (void)argument.release();
  pthread_detach(thread);
  return true;
}

void SleepFor(uint32_t milliseconds) {
  const timespec span{static_cast<time_t>(milliseconds / 1000),
                      static_cast<long>(milliseconds % 1000) * 1'000'000};
  (void)nanosleep(&span, nullptr);
}

void Nap() {
  constexpr timespec kSpan{0, 50'000};
  (void)nanosleep(&kSpan, nullptr);
}

void MakeWay() { (void)sched_yield(); }

unsigned Processors() {
#if defined(__linux__)
  // Fails where there are more processors than the set has room for.
  cpu_set_t ours;
  if (sched_getaffinity(0, sizeof ours, &ours) == 0) {
    const int count = CPU_COUNT(&ours);
    return count > 0 ? static_cast<unsigned>(count) : 1;
  }
#endif
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? static_cast<unsigned>(online) : 1;
}

}  // namespace shmkit::os
