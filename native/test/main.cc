// Runs the tests on a stage of their own where the system allows it, and looks at the end whether
// they left anything behind.
#define DOCTEST_CONFIG_IMPLEMENT
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "support.h"

namespace shmkit::test {

namespace {

// Private directories make "nothing is left behind" exact, and keep what a killed process could
// not clear from the machine. Needs root; without it, tests go by their names.
bool EnterPrivateMounts() {
  return unshare(CLONE_NEWNS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("tmpfs", kSegmentDirectory, "tmpfs", 0, "size=1g,mode=1777") == 0 &&
         mount("tmpfs", kLockFileDirectory, "tmpfs", 0, "size=64m,mode=1777") == 0;
}

bool StartsWith(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

size_t CountLitter() {
  size_t litter = 0;
  const bool all = TheStage().private_mounts;
  const std::string own = Name::Prefix() + std::to_string(getpid()) + '-';
  for (const std::string& entry : EntriesOf(kSegmentDirectory)) {
    if (!all && !StartsWith(entry, own)) continue;
    fprintf(stderr, "left behind: %s/%s\n", kSegmentDirectory, entry.c_str());
    ++litter;
  }
  for (const std::string& entry : EntriesOf(kLockFileDirectory)) {
    // Lock files bear random names: on a shared stage nobody knows whose they are.
    if (!all || !StartsWith(entry, kLockFilePrefix)) continue;
    fprintf(stderr, "left behind: %s/%s\n", kLockFileDirectory, entry.c_str());
    ++litter;
  }
  return litter;
}

// Says which test hangs, and ends the process as the alarm does by default.
void TellAndDie(int signal) {
  const auto tell = [](const char* text) {
    if (write(STDERR_FILENO, text, strlen(text)) < 0) return;
  };
  const auto* const test = doctest::getContextOptions()->currentTest;
  tell("the watchdog ends this test: ");
  tell(test != nullptr ? test->m_name : "none");
  tell("\n");
  ::signal(signal, SIG_DFL);
  raise(signal);
}

int Run(int argc, char** argv) {
  signal(SIGALRM, TellAndDie);
  alarm(kWatchdogSeconds);
  TheStage().private_mounts = EnterPrivateMounts();
  if (!TheStage().private_mounts) {
    fprintf(stderr, "no private mounts: tests that need them are skipped\n");
  }
  doctest::Context context(argc, argv);
  const int failed = context.run();
  if (context.shouldExit()) return failed;
  return failed != 0 || CountLitter() > 0 ? 1 : 0;
}

}  // namespace

}  // namespace shmkit::test

int main(int argc, char** argv) { return shmkit::test::Run(argc, argv); }
