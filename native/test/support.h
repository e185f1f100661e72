// What the tests share: processes to kill, memory and signals between them, names that clean up
// after themselves.
//
// Rules that keep the tests honest and free of flakes:
//
//   - Nobody sleeps to let another get somewhere: it waits for a Signal, or watches the system's
//   own
//     account of the other (AwaitAsleep). What never comes is for the watchdog.
//   - Waits are asserted to be long enough, never to be short enough.
//   - Processes are forked before threads are started (Child waits until there are none): a fork
//     copies the locks that other threads hold, among them the sanitizers', but not the threads.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "../core/layout.h"
#include "../os/deadline.h"
#include "../os/mutex.h"
#include "../os/segment.h"
#include "../os/waiter.h"

namespace shmkit::test {

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif
#else
constexpr bool kThreadSanitizer = false;
#endif

// Ends a process whose tests hang, by a signal that names the reason.
constexpr unsigned kWatchdogSeconds = 120;

constexpr char kSegmentDirectory[] = "/dev/shm";
constexpr char kLockFileDirectory[] = "/tmp";
constexpr char kLockFilePrefix[] = "shmkit-";

// ThreadSanitizer has a thread of its own, from the first one that a test starts.
constexpr size_t kIdleThreads = kThreadSanitizer ? 2 : 1;

// Set by main().
struct Stage {
  // The two directories above are this program's own, unseen by the rest of the machine.
  bool private_mounts = false;
};
inline Stage& TheStage() {
  static Stage stage;
  return stage;
}

// For roles of child processes, which return whether all was as it should be: doctest's own
// assertions would report into a copy of its state.
#define SHMKIT_EXPECT(condition)                                                             \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      dprintf(STDERR_FILENO, "%s:%d: in a child process: %s is false\n", __FILE__, __LINE__, \
              #condition);                                                                   \
      return false;                                                                          \
    }                                                                                        \
  } while (false)

inline std::vector<std::string> EntriesOf(const std::string& directory) {
  std::vector<std::string> entries;
  DIR* stream = opendir(directory.c_str());
  if (!stream) return entries;
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") entries.push_back(name);
  }
  closedir(stream);
  return entries;
}

inline size_t ThreadCount() { return EntriesOf("/proc/self/task").size(); }

inline size_t DescriptorCount() { return EntriesOf("/proc/self/fd").size(); }

inline pid_t ThreadId() { return static_cast<pid_t>(syscall(SYS_gettid)); }

// Between two looks at what sends no signal.
inline void Yield() {
  const timespec nap{0, 200000};
  nanosleep(&nap, nullptr);
}

// Until all threads but the idle process's own have ended, however they are detached.
inline void AwaitThreadsGone() {
  while (ThreadCount() > kIdleThreads) Yield();
}

// Until the system says that a thread sleeps. It must have announced, by a Signal, that the next
// thing to put it to sleep is what the test is about.
inline void AwaitAsleep(pid_t process, pid_t thread) {
  const std::string path =
      "/proc/" + std::to_string(process) + "/task/" + std::to_string(thread) + "/stat";
  for (;;) {
    FILE* file = fopen(path.c_str(), "re");
    if (!file) return;
    char state = 0;
    const int fields = fscanf(file, "%*d %*s %c", &state);
    fclose(file);
    if (fields == 1 && state == 'S') return;
    Yield();
  }
}

class Stopwatch {
 public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_)
        .count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// A T in zeroed memory that this process shares with those it forks.
template <class T>
class Shared {
 public:
  Shared() {
    void* memory =
        mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    value_ = new (memory) T();
  }
  ~Shared() { munmap(value_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_;
};

// A count that only goes up, and that processes wait for.
class Signal {
 public:
  void Raise() const {
    word_->value.fetch_add(1);
    os::Wake(*word_, os::kWakeAll);
  }
  void Await(uint32_t at_least = 1) const {
    for (uint32_t seen = count(); seen < at_least; seen = count()) {
      (void)os::Wait(*word_, seen, os::Deadline::Never());
    }
  }
  uint32_t count() const { return word_->value.load(); }

 private:
  Shared<os::WaitWord> word_;
};

// The bit of a lock word that says that others wait, by the kernel's robust-futex ABI.
constexpr uint32_t kWaitersBit = 0x80000000;

// The lock word of a mutex that a thread holds, or null if the mechanism has none.
inline std::atomic<uint32_t>* LockWordOf(uint8_t* mutex, pid_t owner) {
  for (size_t at = 0; at < os::kMutexBytes; at += sizeof(uint32_t)) {
    auto* const word = reinterpret_cast<std::atomic<uint32_t>*>(mutex + at);
    if ((word->load() & ~kWaitersBit) == static_cast<uint32_t>(owner)) return word;
  }
  return nullptr;
}

// Changes a word as everyone has to who wakes those that wait for it.
inline void Change(os::WaitWord& word, uint32_t value) {
  word.value.store(value);
  os::Wake(word, os::kWakeAll);
}

// Until so many wait for the word. Counted is not yet asleep: os::Waiter W2 is about those in
// between.
inline void AwaitWaiters(const os::WaitWord& word, uint32_t how_many) {
  while (word.waiters.load() < how_many) Yield();
}

// Counts what a thread of the library tells its client, who waits for it.
class Bell {
 public:
  void Ring() {
    const std::lock_guard<std::mutex> guard(mutex_);
    ++rings_;
    changed_.notify_all();
  }
  // Until it has rung more often than the client has answered, which it does hereby.
  void Answer() {
    std::unique_lock<std::mutex> guard(mutex_);
    changed_.wait(guard, [this] { return rings_ > answered_; });
    answered_ = rings_;
  }
  // Until it has rung more than so many times.
  void AwaitMoreThan(unsigned rings) {
    std::unique_lock<std::mutex> guard(mutex_);
    changed_.wait(guard, [this, rings] { return rings_ > rings; });
  }
  unsigned rings() {
    const std::lock_guard<std::mutex> guard(mutex_);
    return rings_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  unsigned rings_ = 0;
  unsigned answered_ = 0;
};

// For what root is exempt from.
inline bool BecomeNobody() {
  constexpr uid_t kNobody = 65534;
  return setgid(kNobody) == 0 && setuid(kNobody) == 0;
}

// Whether this process, which is nobody's, may start threads.
inline bool AllowThreads(bool allowed) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NPROC, &limit) != 0) return false;
  limit.rlim_cur = allowed ? limit.rlim_max : 0;
  return setrlimit(RLIMIT_NPROC, &limit) == 0;
}

// A process that plays a role, given as a function that returns whether all went well.
class Child {
 public:
  template <class Role>
  explicit Child(Role role) {
    // One that was joined is listed for a moment longer.
    AwaitThreadsGone();
    const pid_t parent = getpid();
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ > 0) return;
    // Alone after a failed test, it would hold its locks and wait for ever.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    alarm(kWatchdogSeconds);
    _exit(role() ? 0 : 1);
  }
  ~Child() {
    if (pid_ > 0) Kill();
  }
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Child& operator=(Child&& other) noexcept {
    std::swap(pid_, other.pid_);
    return *this;
  }

  pid_t pid() const { return pid_; }

  // Returns when it is dead and gone.
  void Kill() {
    kill(pid_, SIGKILL);
    Reap();
  }

  bool Succeeds() {
    const int status = Reap();
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  bool DiesOf(int signal) {
    const int status = Reap();
    return WIFSIGNALED(status) && WTERMSIG(status) == signal;
  }

  // Whether it is dead, though not gone yet.
  bool IsOver() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
  }

  void AwaitAsleep() const { test::AwaitAsleep(pid_, pid_); }

 private:
  int Reap() {
    int status = -1;
    pid_t reaped;
    do reaped = waitpid(pid_, &status, 0);
    while (reaped < 0 && errno == EINTR);
    pid_ = -1;
    return status;
  }

  pid_t pid_;
};

// Until somebody kills it.
[[noreturn]] inline void PauseForEver() {
  for (;;) pause();
}

// A segment's name that nothing else has, and what it leads to goes with it.
class Name {
 public:
  Name() {
    static std::atomic<unsigned> count{0};
    text_ = Prefix() + std::to_string(getpid()) + '-' + std::to_string(++count);
  }
  ~Name() { Remove(); }
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;

  static std::string Prefix() { return "shmkit-os-"; }

  const std::string& text() const { return text_; }
  operator const std::string&() const { return text_; }
  std::string path() const { return std::string(kSegmentDirectory) + '/' + text_; }

  bool Exists() const {
    struct stat status;
    return lstat(path().c_str(), &status) == 0;
  }

  // As well as what a lock under this name keeps outside of it.
  void Remove() const {
    struct stat status;
    if (lstat(path().c_str(), &status) != 0) return;
    if (S_ISREG(status.st_mode) && static_cast<size_t>(status.st_size) >= sizeof(Header)) {
      const os::Result<os::Segment> segment = os::Attach(text_, os::Access::kReadOnly);
      if (segment.ok()) {
        os::ObjectId id;
        memcpy(id.data(), static_cast<const Header*>(segment.value().address)->id, id.size());
        os::Mutex::Dispose(id);
        os::Unmap(segment.value());
      }
    }
    ::remove(path().c_str());
  }

 private:
  std::string text_;
};

// Unmaps a segment at the end of a scope.
class MappedSegment {
 public:
  explicit MappedSegment(const os::Result<os::Segment>& result) {
    REQUIRE(result.ok());
    segment_ = result.value();
  }
  ~MappedSegment() { Unmap(); }
  MappedSegment(const MappedSegment&) = delete;
  MappedSegment& operator=(const MappedSegment&) = delete;

  void Unmap() {
    if (segment_.address) os::Unmap(segment_);
    segment_.address = nullptr;
  }
  // The range is the quarantine's, or the test's own to give back.
  os::Segment Surrender() {
    const os::Segment segment = segment_;
    segment_.address = nullptr;
    return segment;
  }

  const os::Segment& segment() const { return segment_; }
  size_t size() const { return segment_.size; }
  std::atomic<uint8_t>& operator[](size_t at) const {
    return static_cast<std::atomic<uint8_t>*>(segment_.address)[at];
  }
  template <class T>
  T& As() const {
    return *static_cast<T*>(segment_.address);
  }

 private:
  os::Segment segment_{};
};

// The number by which the system knows what a name leads to.
inline uint64_t InodeOf(const Name& name) {
  struct stat status;
  REQUIRE(lstat(name.path().c_str(), &status) == 0);
  return status.st_ino;
}

// How often this process has a segment mapped. By number: a file that was linked into place is
// listed under no name.
inline size_t MappingsOf(uint64_t inode) {
  FILE* maps = fopen("/proc/self/maps", "re");
  REQUIRE(maps != nullptr);
  size_t count = 0;
  char line[1024];
  while (fgets(line, sizeof line, maps)) {
    unsigned long found = 0;
    const bool read = sscanf(line, "%*s %*s %*s %*s %lu", &found) == 1;
    if (read && found == inode && strstr(line, kSegmentDirectory)) ++count;
  }
  fclose(maps);
  return count;
}
inline size_t MappingsOf(const Name& name) { return MappingsOf(InodeOf(name)); }

// Whether the system knows the page at an address.
inline bool IsMapped(const void* page) {
  return msync(const_cast<void*>(page), static_cast<size_t>(sysconf(_SC_PAGESIZE)), MS_ASYNC) == 0;
}

}  // namespace shmkit::test

namespace doctest {

template <>
struct StringMaker<shmkit::os::Grant> {
  static String convert(shmkit::os::Grant grant) {
    constexpr const char* kNames[] = {"kAcquired", "kOwnerDied", "kTimeout", "kBroken"};
    return kNames[static_cast<int>(grant)];
  }
};

}  // namespace doctest
