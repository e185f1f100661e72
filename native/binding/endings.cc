#include "endings.h"

#include <atomic>
#include <mutex>

#include "../os/deadline.h"
#include "../os/module.h"
#include "../os/thread.h"
#include "environment.h"
#include "exports.h"
#include "signals.h"
#include "values.h"

namespace shmkit {

namespace {

// How long exit() waits for other threads that use the entries.
constexpr double kExitGraceMs = 5000;

// Never destroyed, because it is used while the process ends.
struct EnteredThreads {
  std::mutex guard;  // guards all entries, too
  Endings* first = nullptr;
  // The last process that added an entry. The guard is useless in a process that was forked while
  // another thread held it.
  std::atomic<int64_t> process{0};
};

EnteredThreads& AllEntered() {
  static auto* all = new EnteredThreads;
  return *all;
}

// One thread leaves, but its process continues.
class LeavingThread : public Leaving {
 public:
  LeavingThread(Seats& seats, const os::Presence& presence) : seats_(seats), presence_(presence) {}

  bool IsGone(uint64_t token) override {
    return token == presence_.token() || !presence_.IsPresent(token);
  }
  bool Holds(SharedObject* object) override { return seats_.Holds(object); }
  void GiveUp(SharedObject* object) override { seats_.GiveUp(object); }

 private:
  Seats& seats_;
  const os::Presence& presence_;
};

// All threads of this process leave. See SharedObject::RemoveNamesHeldHere.
class LeavingProcess : public Leaving {
 public:
  LeavingProcess() : presence_(os::Presence::Enter()) {}
  ~LeavingProcess() override {
    if (presence_.ok()) presence_.value().Leave();
  }
  LeavingProcess(const LeavingProcess&) = delete;
  LeavingProcess& operator=(const LeavingProcess&) = delete;

  bool IsGone(uint64_t token) override {
    if (Endings::IsOfProcess(token)) return true;
    return presence_.ok() && !presence_.value().IsPresent(token);
  }
  bool Holds(SharedObject* object) override { return object->IsLockedHere(); }
  void GiveUp(SharedObject* object) override {
    (void)object->RemoveName(/*held_by_this_thread=*/true);
  }

 private:
  os::Result<os::Presence> presence_;
};

}  // namespace

void Endings::Enter(uint64_t token, Seats* seats) {
  [[maybe_unused]] static const bool once = (os::AtProcessExit(&Endings::EndAtExit), true);
  EnteredThreads& all = AllEntered();
  const std::lock_guard<std::mutex> guard(all.guard);
  token_ = token;
  seats_ = seats;
  thread_ = std::this_thread::get_id();
  next_ = all.first;
  all.first = this;
}

bool Endings::Add(napi_env env, Entry* entry) {
  // Not under the guard, because the thread that hears signals waits for the guard when a signal
  // has come.
  entry->hears_signals = entry->hears_signals && HearSignals(env, &Endings::EndAll);
  entry->process = os::ProcessId();
  EnteredThreads& all = AllEntered();
  const std::lock_guard<std::mutex> guard(all.guard);
  all.process = entry->process;
  entry->next = first_;
  first_ = entry;
  return entry->hears_signals;
}

void Endings::Free(Entry* entry) {
  if (entry->hears_signals && entry->process == os::ProcessId()) UnhearSignals();
  delete entry;
}

void Endings::Remove(const Entry* entry) {
  Entry* found = nullptr;
  {
    const std::lock_guard<std::mutex> guard(AllEntered().guard);
    for (Entry** at = &first_; *at; at = &(*at)->next) {
      if (*at != entry) continue;
      found = *at;
      *at = found->next;
      break;
    }
  }
  if (found) Free(found);
}

void Endings::Leave(Seats& seats, const os::Presence& presence) {
  Entry* entry = nullptr;
  EnteredThreads& all = AllEntered();
  {
    const std::lock_guard<std::mutex> guard(all.guard);
    std::swap(entry, first_);
  }
  while (entry) {
    if (entry->process == os::ProcessId()) {
      // The thread may have been stopped in the middle of a change of the manager. The next owner
      // of the manager's lock is told.
      if (const Seat* const seat = seats.At(entry->seat)) seats.GiveUp(seat->object);
      LeavingThread leaving(seats, presence);
      EndManager(entry->facts, leaving);
    }
    Free(std::exchange(entry, entry->next));
  }
  const std::lock_guard<std::mutex> guard(all.guard);
  for (Endings** at = &all.first; *at; at = &(*at)->next_) {
    if (*at != this) continue;
    *at = next_;
    return;
  }
}

void Endings::EndAll() {
  EnteredThreads& all = AllEntered();
  const std::lock_guard<std::mutex> guard(all.guard);
  EndEach();
}

// The caller holds the guard.
void Endings::EndEach() {
  const int64_t process = os::ProcessId();
  LeavingProcess leaving;
  for (const Endings* each = AllEntered().first; each; each = each->next_) {
    for (const Entry* entry = each->first_; entry; entry = entry->next) {
      if (entry->process == process) EndManager(entry->facts, leaving);
    }
  }
}

// Runs in the thread that calls exit(). This is usually the main thread, within a call from
// JavaScript that does not return. Environments that have ended have already called Leave, so they
// are not in the list any more.
void Endings::EndAtExit() {
  EnteredThreads& all = AllEntered();
  if (all.process != os::ProcessId()) return;
  AwaitEndBySignal();
  std::unique_lock<std::mutex> guard(all.guard, std::try_to_lock);
  for (const auto grace = os::Deadline::After(kExitGraceMs); !guard; (void)guard.try_lock()) {
    if (grace.passed()) return;
    os::Nap();
  }
  for (Endings* each = all.first; each; each = each->next_) each->GiveUpHere();
  EndEach();
}

// If these entries belong to this thread, gives back the locks of its managers. This thread does
// not continue what it was doing with them. So EndEach need not wait for these locks.
void Endings::GiveUpHere() {
  if (thread_ != std::this_thread::get_id()) return;
  for (const Entry* entry = first_; entry; entry = entry->next) {
    const Seat* const seat = seats_->At(entry->seat);
    if (seat && entry->process == os::ProcessId()) seats_->GiveUp(seat->object);
  }
}

bool Endings::IsOfProcess(uint64_t token) {
  const Endings* each = AllEntered().first;
  while (each && each->token_ != token) each = each->next_;
  return each != nullptr;
}

namespace {

// (seat, name, heads, numbers: Float64Array, whether it hears signals) -> the argument for
// endingRemove. The last of the numbers is set to whether it does hear signals.
Napi::Value Add(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (!seat) return {};
  double* const numbers = info[3].As<Napi::Float64Array>().Data();
  const auto number = [numbers](size_t i) { return static_cast<size_t>(numbers[i]); };
  auto* const entry = new Endings::Entry{};
  entry->seat = seat->index;
  entry->hears_signals = info[4].As<Napi::Boolean>();
  ManagerFacts& facts = entry->facts;
  facts.name = info[1].As<Napi::String>();
  facts.heads = info[2].As<Napi::String>();
  facts.id = seat->object->id();
  facts.kind = static_cast<uint16_t>(number(0));
  facts.of_peers = number(1) != 0;
  facts.end_at = number(2);
  facts.used_at = number(3);
  facts.roster_at = number(4);
  facts.entry_bytes = number(5);
  facts.token_half = number(6);
  numbers[7] = Environment::Of(info.Env()).endings.Add(info.Env(), entry) ? 1 : 0;
  // An address has 48 bits, and a JavaScript number has 53.
  return Napi::Number::New(info.Env(), static_cast<double>(reinterpret_cast<uintptr_t>(entry)));
}

Napi::Value Remove(const Napi::CallbackInfo& info) {
  const auto which = static_cast<uintptr_t>(info[0].As<Napi::Number>().DoubleValue());
  Environment::Of(info.Env()).endings.Remove(reinterpret_cast<const Endings::Entry*>(which));
  return info.Env().Undefined();
}

// Ends what all threads of the process have added, and stops hearing signals. The caller is about
// to raise a signal, and no exit() follows. What this thread holds is given back.
Napi::Value EndAll(const Napi::CallbackInfo& info) {
  Endings::EndAll();
  Environment::LetGoHere();
  SharedObject::RemoveNamesHeldHere();
  DeafenToSignals();
  return info.Env().Undefined();
}

}  // namespace

void ExportEndings(Napi::Env env, Napi::Object exports) {
  ExportAll(env, exports,
            {{"endingAdd", Add}, {"endingRemove", Remove}, {"endingsEndAll", EndAll}});
}

}  // namespace shmkit
