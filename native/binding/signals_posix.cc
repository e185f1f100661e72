// How it is known whether anybody else listens, though libuv does not tell: our thread has an event
// loop, and a watcher of libuv's for each signal, of the kind that is for one time only. While all
// watchers of a signal are of that kind, libuv installs its handler with SA_RESETHAND; while there
// is another, of the application's, without. So when a signal comes,
//
//   - our own handler is called, which lies over libuv's, if nobody has begun to listen since:
//   libuv
//     replaces it then;
//   - libuv's is called if somebody listens, and stays;
//   - libuv's is called and gone if somebody has listened, and stopped.
//
// When the process exits, Node takes libuv down with other threads still there, and what these call
// of it then aborts. Nobody tells them before. So our thread does not come back from an abort().
//
// That is how things are at the moment of the signal. So one that cleans up and raises it again
// (signal-exit) is told from nobody, though it stops to listen meanwhile.
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <iterator>
#include <memory>
#include <mutex>

#include "../os/condition.h"
#include "../os/mapping_posix.h"
#include "../os/thread.h"
#include "libuv.h"
#include "signals.h"

namespace shmkit {

namespace {

using libuv::Handle;

// The same signals as lib/shm/manager/endings.ts has.
constexpr int kNumbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR2};

// How long our thread may take to begin or to stop.
constexpr double kGraceMs = 1000;

// How long a thread is held while it is decided about a signal that came to it, and all ends.
constexpr double kHoldMs = 250;

constexpr int kRunDefault = 0;  // UV_RUN_DEFAULT

struct Functions {
  size_t (*loop_size)();
  int (*loop_init)(uv_loop_s* loop);
  int (*loop_close)(uv_loop_s* loop);
  void (*close)(Handle* handle, libuv::Callback closed);
  int (*run)(uv_loop_s* loop, int mode);
  size_t (*handle_size)(int type);
  int (*async_init)(uv_loop_s* loop, Handle* async, void (*callback)(Handle*));
  int (*async_send)(Handle* async);
  int (*signal_init)(uv_loop_s* loop, Handle* watcher);
  int (*signal_start_oneshot)(Handle* watcher, void (*callback)(Handle*, int), int number);
  int (*signal_stop)(Handle* watcher);

  bool Find() {
    return libuv::Find("uv_loop_size", &loop_size) && libuv::Find("uv_loop_init", &loop_init) &&
           libuv::Find("uv_loop_close", &loop_close) && libuv::Find("uv_close", &close) &&
           libuv::Find("uv_run", &run) && libuv::Find("uv_handle_size", &handle_size) &&
           libuv::Find("uv_async_init", &async_init) && libuv::Find("uv_async_send", &async_send) &&
           libuv::Find("uv_signal_init", &signal_init) &&
           libuv::Find("uv_signal_start_oneshot", &signal_start_oneshot) &&
           libuv::Find("uv_signal_stop", &signal_stop);
  }
};

using Action = struct sigaction;

Action ActionAt(int number) {
  Action action;
  sigaction(number, nullptr, &action);
  return action;
}

bool IsDefault(const Action& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
}

bool IsIgnored(const Action& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN;
}

void* CodeOf(const Action& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 ? reinterpret_cast<void*>(action.sa_sigaction)
                                             : reinterpret_cast<void*>(action.sa_handler);
}

// Where the library, or the program, begins in memory that some code is part of.
void* ImageOf(void* code) {
  Dl_info info;
  return dladdr(code, &info) != 0 ? info.dli_fbase : nullptr;
}

void OnSignal(int number);
void OnAbort(int number);

bool IsOurs(const Action& action) { return CodeOf(action) == reinterpret_cast<void*>(OnSignal); }

// One signal.
struct Watched {
  int number = 0;
  bool held = false;
  // What the signal did when nobody listened. Node tidies up the terminal before it ends by one.
  Action before{};
  // One of them waits for the signal. When that has come, the other takes its place before libuv
  // stops it, so that there is always one.
  std::unique_ptr<char[]> watchers[2];
  unsigned current = 0;
  // Our handler was called.
  std::atomic<bool> came{false};
};

class Listener {
 public:
  bool Begin(void (*end)()) {
    std::unique_lock<std::mutex> guard(mutex_);
    const os::Deadline grace = os::Deadline::After(kGraceMs);
    if (!changed_.WaitFor(guard, grace, [this] { return state_ != State::kStopping; }))
      return false;
    end_ = end;
    if (state_ == State::kStopped && !Start()) return false;
    ++wanted_;
    changed_.WaitFor(guard, grace, [this] { return state_ != State::kStarting; });
    return true;
  }

  // Waits until all is as it was.
  void Stop(bool for_all) {
    std::unique_lock<std::mutex> guard(mutex_);
    if (wanted_ == 0) return;
    wanted_ = for_all ? 0 : wanted_ - 1;
    if (wanted_ > 0) return;
    functions_.async_send(async_.get());
    changed_.WaitFor(guard, os::Deadline::After(kGraceMs),
                     [this] { return state_ == State::kStopped || wanted_ > 0; });
  }

  // In a signal handler. False when nobody hears any more.
  bool Hear(int number) {
    ++hearing_;
    const bool hears = hears_;
    if (hears) {
      for (Watched& each : watched_) {
        if (each.number == number) each.came.store(true);
      }
      functions_.async_send(async_.get());
    }
    if (hears) AwaitDecision();
    --hearing_;
    return hears;
  }

  // Also in a signal handler.
  void AwaitDecision() const {
    if (pthread_equal(pthread_self(), thread_) != 0) return;
    const os::Deadline grace = os::Deadline::After(kHoldMs);
    while (IsDeciding() && !grace.passed()) os::Nap();
  }

  // Any time that it takes: one that began ends the process.
  void AwaitEnd() const {
    AwaitDecision();
    if (pthread_equal(pthread_self(), thread_) != 0) return;
    while (ending_) os::Nap();
  }

  // Whether this is our thread, and it calls libuv.
  bool IsInLibuv() const { return pthread_equal(pthread_self(), thread_) != 0 && !ending_; }

  pid_t pid() const { return pid_; }
  const Action* BeforeOf(int number) const {
    for (const Watched& each : watched_) {
      if (each.number == number) return &each.before;
    }
    return nullptr;
  }

 private:
  // Our thread moves on from kStarting and kStopping.
  enum class State { kStopped, kStarting, kHearing, kStopping };

  // Whoever fails in between leaves what there is of a loop: the process has no more descriptors.
  bool Start() {
    if (!functions_.Find()) return false;
    loop_ = std::make_unique<char[]>(functions_.loop_size());
    async_ = NewHandle(libuv::kAsync);
    if (functions_.loop_init(Loop()) != 0) return false;
    if (functions_.async_init(Loop(), async_.get(), OnAsync) != 0) return false;
    for (size_t i = 0; i < std::size(kNumbers); ++i) {
      watched_[i].number = kNumbers[i];
      watched_[i].came = false;
      for (auto& watcher : watched_[i].watchers) {
        watcher = NewHandle(libuv::kSignal);
        if (functions_.signal_init(Loop(), watcher.get()) != 0) return false;
      }
    }
    pid_ = getpid();
    functions_.async_send(async_.get());
    state_ = State::kStarting;
    if (!os::StartThread([this] { Run(); })) state_ = State::kStopped;
    return state_ == State::kStarting;
  }

  uv_loop_s* Loop() { return reinterpret_cast<uv_loop_s*>(loop_.get()); }

  std::unique_ptr<char[]> NewHandle(int type) {
    return std::make_unique<char[]>(functions_.handle_size(type));
  }

  static void OnAsync(Handle*);
  static void OnWatched(Handle* watcher, int number);

  bool IsDeciding() const {
    if (ending_) return true;
    for (const Watched& each : watched_) {
      if (each.came) return true;
    }
    return false;
  }

  void Run() {
    const os::SignalsBlocked undisturbed;
    thread_ = pthread_self();
    HoldAbort();
    // Until all is closed.
    functions_.run(Loop(), kRunDefault);
    functions_.loop_close(Loop());
    LetGoOfAbort();
    Become(State::kStopped);
  }

  static void HoldAbort() {
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGABRT);
    pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
    if (!IsDefault(ActionAt(SIGABRT))) return;
    Action ours{};
    ours.sa_handler = OnAbort;
    sigemptyset(&ours.sa_mask);
    sigaction(SIGABRT, &ours, nullptr);
  }

  static void LetGoOfAbort() {
    const Action plain{};
    if (CodeOf(ActionAt(SIGABRT)) == reinterpret_cast<void*>(OnAbort))
      sigaction(SIGABRT, &plain, nullptr);
  }

  void Become(State state) {
    const std::lock_guard<std::mutex> guard(mutex_);
    state_ = state;
    changed_.NotifyAll();
  }

  void LookAround() {
    for (Watched& each : watched_) {
      // Unless somebody has put a handler of his own over ours, which has called that.
      if (!each.came) continue;
      if (IsOurs(ActionAt(each.number))) EndBy(each);
      each.came = false;
    }
    State state;
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      if (state_ == State::kHearing && wanted_ == 0) state_ = State::kStopping;
      state = state_;
    }
    if (state == State::kStarting) {
      hears_ = true;
      for (Watched& each : watched_) Hold(each);
      Become(State::kHearing);
      // Whoever wanted it may have stopped meanwhile.
      functions_.async_send(async_.get());
    } else if (state == State::kStopping) {
      for (Watched& each : watched_) LetGo(each);
      hears_ = false;
      PassOn();
      Close();
    }
  }

  // What has come since, to whoever has it now.
  void PassOn() {
    bool came[std::size(kNumbers)] = {};
    bool is_hearing = true;
    while (is_hearing) {
      // A handler that has begun before may be at work still.
      is_hearing = hearing_ > 0;
      for (size_t i = 0; i < std::size(kNumbers); ++i) {
        if (watched_[i].came.exchange(false)) came[i] = true;
      }
      if (is_hearing) os::Nap();
    }
    for (size_t i = 0; i < std::size(kNumbers); ++i) {
      if (came[i]) kill(getpid(), kNumbers[i]);
    }
  }

  void Close() {
    functions_.close(async_.get(), nullptr);
    for (Watched& each : watched_) {
      for (auto& watcher : each.watchers) functions_.close(watcher.get(), nullptr);
    }
  }

  void Hold(Watched& watched) {
    const int number = watched.number;
    const Action now = ActionAt(number);
    const bool is_unheard = IsDefault(now) || (now.sa_flags & SA_RESETHAND) != 0;
    if (!is_unheard) {
      void* const libuv = ImageOf(reinterpret_cast<void*>(functions_.signal_stop));
      if (IsIgnored(now) || ImageOf(CodeOf(now)) != libuv) return;  // H2
    }
    watched.before = is_unheard ? now : Action{};
    watched.current = 0;
    if (functions_.signal_start_oneshot(watched.watchers[0].get(), OnWatched, number) != 0) return;
    watched.held = true;
    if (is_unheard) Overlay(watched);
  }

  // Puts our handler over libuv's.
  void Overlay(Watched& watched) {
    Action ours{};
    ours.sa_handler = OnSignal;
    ours.sa_flags = SA_RESTART;
    sigfillset(&ours.sa_mask);
    Action theirs;
    sigaction(watched.number, &ours, &theirs);
    if (IsDefault(theirs)) {
      // The signal came in between.
      (void)Hear(watched.number);
    } else if ((theirs.sa_flags & SA_RESETHAND) == 0) {
      // Somebody has begun to listen in between.
      sigaction(watched.number, &theirs, nullptr);
    }
  }

  void LetGo(Watched& watched) {
    if (!watched.held) return;
    watched.held = false;
    for (auto& watcher : watched.watchers) functions_.signal_stop(watcher.get());
    if (IsDefault(ActionAt(watched.number))) sigaction(watched.number, &watched.before, nullptr);
  }

  void OnLibuvs(Watched& watched) {
    // Not so any more while it is being let go.
    if (!watched.held) return;
    watched.current ^= 1;
    functions_.signal_start_oneshot(watched.watchers[watched.current].get(), OnWatched,
                                    watched.number);
    // Only now: of a signal that comes from here on, the new watcher hears.
    if (!IsDefault(ActionAt(watched.number))) return;
    ending_ = true;
    // Those that come besides while all ends do not end the process at once.
    Overlay(watched);
    // To hold the thread that the first has come to.
    kill(getpid(), watched.number);
    EndBy(watched);
  }

  // libuv is not told: the process may be at its exit, where libuv has ended already.
  [[noreturn]] void EndBy(const Watched& watched) {
    const int number = watched.number;
    ending_ = true;
    end_();
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, number);
    pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
    sigaction(number, &watched.before, nullptr);
    raise(number);
    const Action plain{};
    sigaction(number, &plain, nullptr);
    raise(number);
    _exit(128 + number);  // H3
  }

  std::mutex mutex_;  // guards these three
  os::Condition changed_;
  State state_ = State::kStopped;
  unsigned wanted_ = 0;

  void (*end_)() = nullptr;
  // Whether our handler may wake our thread, and how many times it is at work.
  std::atomic<bool> hears_{false};
  std::atomic<int> hearing_{0};
  // Whether a signal is about to end the process. Never false again.
  std::atomic<bool> ending_{false};
  std::atomic<pthread_t> thread_{};
  Functions functions_{};
  pid_t pid_ = 0;
  std::unique_ptr<char[]> loop_;
  std::unique_ptr<char[]> async_;
  Watched watched_[std::size(kNumbers)];
};

// Never destroyed: signals come at any time.
Listener& TheListener() {
  static auto* listener = new Listener;
  return *listener;
}

void Listener::OnAsync(Handle*) { TheListener().LookAround(); }

void Listener::OnWatched(Handle*, int number) {
  Listener& self = TheListener();
  for (Watched& each : self.watched_) {
    if (each.number == number) self.OnLibuvs(each);
  }
}

void OnSignal(int number) {
  const int error = errno;
  Listener& listener = TheListener();
  const bool is_forked = getpid() != listener.pid();
  if (is_forked) sigaction(number, listener.BeforeOf(number), nullptr);
  // To whoever has it now: our thread has stopped, or is not there in a process that was forked.
  if (is_forked || !listener.Hear(number)) raise(number);
  errno = error;
}

// All other threads abort as ever.
void OnAbort(int number) {
  while (TheListener().IsInLibuv()) pause();
  const Action plain{};
  sigaction(number, &plain, nullptr);
  raise(number);
}

}  // namespace

bool HearSignals(napi_env env, void (*end)()) {
  return libuv::LoopOf(env) && TheListener().Begin(end);
}

void UnhearSignals() { TheListener().Stop(/*for_all=*/false); }

void AwaitEndBySignal() { TheListener().AwaitEnd(); }

void DeafenToSignals() { TheListener().Stop(/*for_all=*/true); }

}  // namespace shmkit
