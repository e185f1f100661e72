// The contracts of os/clock.h, os/condition.h and core/alarm_thread.h.
#include "../os/clock.h"

#include <thread>

#include "../core/alarm_thread.h"
#include "../os/condition.h"
#include "objects.h"
#include "support.h"

namespace shmkit::test {

namespace {

constexpr double kShortMs = 30;

}  // namespace

TEST_SUITE_BEGIN("clock");

TEST_CASE("C1: no clock goes back") {
  int64_t steady = os::SteadyNanoseconds();
  int64_t boot = os::SinceBootNanoseconds();
  for (int look = 0; look < 100000; ++look) {
    const int64_t steady_now = os::SteadyNanoseconds();
    const int64_t boot_now = os::SinceBootNanoseconds();
    REQUIRE(steady_now >= steady);
    REQUIRE(boot_now >= boot);
    steady = steady_now;
    boot = boot_now;
  }
}

TEST_CASE("C2, C3: both go on while a wait lasts, in nanoseconds") {
  const Stopwatch watch;
  const int64_t steady = os::SteadyNanoseconds();
  const int64_t boot = os::SinceBootNanoseconds();
  while (watch.milliseconds() < kShortMs) Yield();
  const auto milliseconds = [](int64_t since, int64_t until) {
    return static_cast<double>(until - since) / 1e6;
  };
  CHECK(milliseconds(steady, os::SteadyNanoseconds()) >= kShortMs);
  // The two may be adjusted by different parts of a thousandth.
  CHECK(milliseconds(boot, os::SinceBootNanoseconds()) >= 0.99 * kShortMs);
}

TEST_CASE("C3: a moment since boot is the same to another process") {
  const Shared<std::atomic<int64_t>> moment;
  const int64_t before = os::SinceBootNanoseconds();
  Child other([&] {
    moment->store(os::SinceBootNanoseconds());
    return true;
  });
  CHECK(other.Succeeds());
  CHECK(moment->load() >= before);
  CHECK(moment->load() <= os::SinceBootNanoseconds());
}

TEST_CASE("C3: it is the time since the machine was started") {
  timespec boot{};
  REQUIRE(clock_gettime(CLOCK_BOOTTIME, &boot) == 0);
  const int64_t before = int64_t{boot.tv_sec} * 1000000000 + boot.tv_nsec;
  CHECK(os::SinceBootNanoseconds() >= before);
}

TEST_CASE("a condition's wait lasts at least its time") {
  std::mutex mutex;
  os::Condition condition;
  std::unique_lock<std::mutex> guard(mutex);
  const Stopwatch watch;
  CHECK_FALSE(condition.WaitFor(guard, os::Deadline::After(kShortMs), [] { return false; }));
  CHECK(watch.milliseconds() >= kShortMs);
  CHECK(condition.WaitFor(guard, os::Deadline::After(0), [] { return true; }));
}

TEST_CASE("a condition's wait ends when it is notified") {
  std::mutex mutex;
  os::Condition condition;
  bool changed = false;
  bool seen = false;
  std::thread waiter([&] {
    std::unique_lock<std::mutex> guard(mutex);
    seen = condition.WaitFor(guard, os::Deadline::After(1e6), [&] { return changed; });
  });
  {
    const std::lock_guard<std::mutex> guard(mutex);
    changed = true;
    condition.NotifyAll();
  }
  waiter.join();
  CHECK(seen);
}

TEST_CASE("alarm C1: each moment is told of, not before, and once") {
  auto bell = std::make_shared<Bell>();
  const auto alarm = std::make_shared<AlarmThread>([bell] { bell->Ring(); });
  for (unsigned round = 1; round <= 5; ++round) {
    const Stopwatch watch;
    REQUIRE(alarm->Set(os::Deadline::After(kShortMs)));
    bell->Answer();
    CHECK(watch.milliseconds() >= kShortMs);
    CHECK(bell->rings() == round);
  }
  REQUIRE(alarm->Set(os::Deadline::After(0)));
  bell->Answer();
  CHECK(bell->rings() == 6);
  alarm->Quit();
}

TEST_CASE("alarm C1: a moment takes the place of the one before") {
  auto bell = std::make_shared<Bell>();
  const auto alarm = std::make_shared<AlarmThread>([bell] { bell->Ring(); });
  REQUIRE(alarm->Set(os::Deadline::After(1e6)));
  const Stopwatch watch;
  REQUIRE(alarm->Set(os::Deadline::After(kShortMs)));
  bell->Answer();
  CHECK(watch.milliseconds() >= kShortMs);
  CHECK(bell->rings() == 1);
  alarm->Quit();
}

TEST_CASE("alarm C2: its thread goes when it is told to, and when it has nothing to do") {
  auto bell = std::make_shared<Bell>();
  const auto alarm = std::make_shared<AlarmThread>([bell] { bell->Ring(); });
  REQUIRE(alarm->Set(os::Deadline::After(0)));
  bell->Answer();
  AwaitThreadsGone();
  REQUIRE(alarm->Set(os::Deadline::After(1)));
  bell->Answer();
  CHECK(bell->rings() == 2);
  REQUIRE(alarm->Set(os::Deadline::After(1e6)));
  alarm->Quit();
  AwaitThreadsGone();
  CHECK(bell->rings() == 2);
}

TEST_SUITE_END();

}  // namespace shmkit::test
