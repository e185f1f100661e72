// How the library finds out whether there is another listener, although libuv does not tell. Our
// thread has an event loop, and for each signal a libuv watcher of the one-shot kind. If all
// watchers of a signal are one-shot, libuv installs its handler with SA_RESETHAND. If there is a
// watcher of another kind, from the application, libuv installs the handler without that flag. So
// when a signal comes,
//
//   - our own handler is called if nothing has started to listen since we installed it. It lies
//     over libuv's handler, and libuv replaces it when a listener is added;
//   - libuv's handler is called, and stays, if there is a listener;
//   - libuv's handler is called, and is gone, if there was a listener that has stopped.
//
// This is the state at the moment of the signal. So a listener that cleans up and raises the signal
// again (signal-exit) is recognised as a listener, even though it stops listening in between.
//
// When the process exits, Node shuts libuv down while other threads still exist, and cannot tell
// them in advance. If a thread calls libuv after that, libuv calls abort(). So our thread handles
// SIGABRT: its handler does not return if our thread called abort() in this way. For all other
// threads it calls the handler that lies under it: the application's, or libuv's. It is installed
// again before each call of libuv that can abort, because a listener that was added to SIGABRT in
// the meantime has replaced it.
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

// The same signals as in lib/shm/manager/endings.ts.
constexpr int kNumbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR2};

// How long our thread may take to start or to stop.
constexpr double kGraceMs = 1000;

// How long a thread that received a signal waits in the signal handler, while our thread finds out
// whether the signal ends the process, and ends the managers.
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

// The address at which the library or program that contains this code begins in memory.
void* ImageOf(void* code) {
  Dl_info info;
  return dladdr(code, &info) != 0 ? info.dli_fbase : nullptr;
}

void OnSignal(int number);
void OnAbort(int number, siginfo_t* info, void* context);

bool IsOurs(const Action& action) { return CodeOf(action) == reinterpret_cast<void*>(OnSignal); }

// One signal.
struct Watched {
  int number = 0;
  bool held = false;
  // The handler that the signal had when there was no listener. The process ends by this handler:
  // Node's handler restores the terminal first.
  Action before{};
  // One of the two watchers waits for the signal. When the signal has come, the other one takes its
  // place before libuv stops the first. So there is always one.
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

  // Undoes one call of Begin, or all of them. If none is left, waits until the signals have the
  // same handlers as before.
  void Stop(bool for_all) {
    std::unique_lock<std::mutex> guard(mutex_);
    if (wanted_ == 0) return;
    wanted_ = for_all ? 0 : wanted_ - 1;
    if (wanted_ > 0) return;
    functions_.async_send(async_.get());
    changed_.WaitFor(guard, os::Deadline::After(kGraceMs),
                     [this] { return state_ == State::kStopped || wanted_ > 0; });
  }

  // Called in a signal handler. Tells our thread that the signal has come, and waits until our
  // thread has decided what happens. Returns false, and does nothing, if our thread does not listen
  // any more.
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

  // Waits, for at most kHoldMs, while our thread decides about a signal, or ends the process.
  // Called in a signal handler, too.
  void AwaitDecision() const {
    if (pthread_equal(pthread_self(), thread_) != 0) return;
    const os::Deadline grace = os::Deadline::After(kHoldMs);
    while (IsDeciding() && !grace.passed()) os::Nap();
  }

  // The same, but if our thread is ending the process, there is no limit: the process ends in any
  // case.
  void AwaitEnd() const {
    AwaitDecision();
    if (pthread_equal(pthread_self(), thread_) != 0) return;
    while (ending_) os::Nap();
  }

  // Whether this is our thread, and it calls libuv.
  bool IsInLibuv() const { return pthread_equal(pthread_self(), thread_) != 0 && !ending_; }

  // What lies under our handler of SIGABRT.
  const Action& under_abort() const { return under_abort_[under_abort_at_]; }

  pid_t pid() const { return pid_; }
  const Action* BeforeOf(int number) const {
    for (const Watched& each : watched_) {
      if (each.number == number) return &each.before;
    }
    return nullptr;
  }

 private:
  // Only our thread changes the state when it is kStarting or kStopping.
  enum class State { kStopped, kStarting, kHearing, kStopping };

  // If a step fails, the parts of the event loop that were made already are not freed. Steps fail
  // only if the process has no more file descriptors.
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
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGABRT);
    pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
    HoldAbort();
    // Returns when everything is closed.
    functions_.run(Loop(), kRunDefault);
    functions_.loop_close(Loop());
    LetGoOfAbort();
    Become(State::kStopped);
  }

  static bool HoldsAbort() { return CodeOf(ActionAt(SIGABRT)) == reinterpret_cast<void*>(OnAbort); }

  void HoldAbort() {
    if (HoldsAbort()) return;
    // Our handler may be running now in another thread, so what it reads is not overwritten.
    const unsigned next = under_abort_at_ ^ 1;
    under_abort_[next] = ActionAt(SIGABRT);
    under_abort_at_ = next;
    Action ours = under_abort();
    ours.sa_sigaction = OnAbort;
    ours.sa_flags = (ours.sa_flags | SA_SIGINFO) & ~SA_RESETHAND;
    sigaction(SIGABRT, &ours, nullptr);
  }

  void LetGoOfAbort() {
    if (HoldsAbort()) sigaction(SIGABRT, &under_abort(), nullptr);
  }

  void Become(State state) {
    const std::lock_guard<std::mutex> guard(mutex_);
    state_ = state;
    changed_.NotifyAll();
  }

  void LookAround() {
    for (Watched& each : watched_) {
      // If another handler was installed over ours, and has called ours, that handler decides.
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
      // The caller of Begin may have called Stop in the meantime, so look at `wanted_` again.
      functions_.async_send(async_.get());
    } else if (state == State::kStopping) {
      HoldAbort();
      for (Watched& each : watched_) LetGo(each);
      hears_ = false;
      PassOn();
      Close();
    }
  }

  // Signals may have come while our handlers were being removed. Sends them to the process again,
  // for the handlers that are installed now.
  void PassOn() {
    bool came[std::size(kNumbers)] = {};
    bool is_hearing = true;
    while (is_hearing) {
      // A handler that started earlier may still be running.
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
      // A listener was added in between.
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
    // Our thread has stopped listening for this signal (LetGo), so the call comes too late.
    if (!watched.held) return;
    HoldAbort();
    watched.current ^= 1;
    functions_.signal_start_oneshot(watched.watchers[watched.current].get(), OnWatched,
                                    watched.number);
    // Check only now: from here on, the new watcher receives the signals.
    if (!IsDefault(ActionAt(watched.number))) return;
    ending_ = true;
    // Further signals that come during the end must not end the process at once.
    Overlay(watched);
    // The first signal went to libuv's handler, so the thread that received it continues. This
    // signal makes that thread wait in our handler (H5).
    kill(getpid(), watched.number);
    EndBy(watched);
  }

  // Ends the managers, and then the process by the signal. Does not call libuv, because the process
  // may be exiting, and libuv may have been shut down already.
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

  std::mutex mutex_;  // guards the next three members
  os::Condition changed_;
  State state_ = State::kStopped;
  unsigned wanted_ = 0;

  void (*end_)() = nullptr;
  // Whether our handler may wake our thread, and how many calls of our handler are running.
  std::atomic<bool> hears_{false};
  std::atomic<int> hearing_{0};
  // Whether a signal is about to end the process. Once true, it is never false again.
  std::atomic<bool> ending_{false};
  std::atomic<pthread_t> thread_{};
  Functions functions_{};
  pid_t pid_ = 0;
  Action under_abort_[2]{};
  std::atomic<unsigned> under_abort_at_{0};
  std::unique_ptr<char[]> loop_;
  std::unique_ptr<char[]> async_;
  Watched watched_[std::size(kNumbers)];
};

// Never destroyed, because signals can come at any time.
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
  // Pass the signal to the handler that is installed now: our thread has stopped, or it does not
  // exist because this is a forked process.
  if (is_forked || !listener.Hear(number)) raise(number);
  errno = error;
}

// If our thread has called abort() because libuv was shut down, it sleeps here until the process
// has exited. For all other threads, this is as if our handler was not there.
void OnAbort(int number, siginfo_t* info, void* context) {
  const Listener& listener = TheListener();
  while (listener.IsInLibuv()) pause();
  const Action under = listener.under_abort();
  if (IsIgnored(under)) return;
  const Action plain{};
  if (IsDefault(under) || (under.sa_flags & SA_RESETHAND) != 0) sigaction(number, &plain, nullptr);
  if (IsDefault(under)) {
    raise(number);
  } else if ((under.sa_flags & SA_SIGINFO) != 0) {
    under.sa_sigaction(number, info, context);
  } else {
    under.sa_handler(number);
  }
}

}  // namespace

bool HearSignals(napi_env env, void (*end)()) {
  return libuv::LoopOf(env) && TheListener().Begin(end);
}

void UnhearSignals() { TheListener().Stop(/*for_all=*/false); }

void AwaitEndBySignal() { TheListener().AwaitEnd(); }

void DeafenToSignals() { TheListener().Stop(/*for_all=*/true); }

}  // namespace shmkit
