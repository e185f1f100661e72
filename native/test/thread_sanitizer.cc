// Stands in for pthread_mutex_clocklock under ThreadSanitizer, versions of which do not know the
// call (GCC 12's among them): a mutex taken by it they believe free, and report its unlock. They do
// know trylock, and that it may grant what a dead owner held. So a timed wait is many looks here;
// the system's own timed wait is what all other configurations test.
#include "support.h"

#if defined(__SANITIZE_THREAD__)
#define SHMKIT_STAND_IN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHMKIT_STAND_IN
#endif
#endif

#if defined(SHMKIT_STAND_IN)
#include <pthread.h>
#include <time.h>

extern "C" int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock,
                                       const timespec* until) noexcept {
  for (;;) {
    const int error = pthread_mutex_trylock(mutex);
    if (error != EBUSY) return error;
    timespec now;
    clock_gettime(clock, &now);
    const bool passed = now.tv_sec > until->tv_sec ||
                        (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec);
    if (passed) return ETIMEDOUT;
    shmkit::test::Yield();
  }
}
#endif
