#include <pthread.h>
#include <time.h>

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

}  // namespace shmkit::os
