#include "../core/spinning_wait.h"

#include "support.h"

namespace shmkit::test {

namespace {

os::Deadline Soon() { return os::Deadline::After(20); }

}  // namespace

TEST_CASE("a wait returns at once if the word has changed") {
  os::WaitWord word{{1}, {0}};
  SpinningWait wait;
  CHECK(wait.Wait(word, 0, os::Deadline::Never()) == os::Woken::kMaybe);
}

TEST_CASE("a wait ends with its time, and not before") {
  os::WaitWord word{{0}, {0}};
  SpinningWait wait;
  for (int i = 0; i < 5; ++i) {
    const Stopwatch watch;
    CHECK(wait.Wait(word, 0, Soon()) == os::Woken::kTimeout);
    CHECK(watch.milliseconds() >= 20);
  }
  CHECK(word.waiters == 0);
}

TEST_CASE("a wait is over when another thread changes the word, whether this one looks or sleeps") {
  for (const double after : {0.0, 0.05, 20.0}) {
    os::WaitWord word{{0}, {0}};
    SpinningWait wait;
    std::thread other([&word, after] {
      const os::Deadline moment = os::Deadline::After(after);
      while (!moment.passed()) os::Relax();
      word.value = 1;
      os::Wake(word, os::kWakeAll);
    });
    while (word.value == 0) (void)wait.Wait(word, 0, os::Deadline::Never());
    other.join();
  }
}

}  // namespace shmkit::test
