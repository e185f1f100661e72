// Locks for JavaScript. The three hot calls take no argument and, when all is well, return nothing:
// which seat they are about stands in a word that both sides can reach, since passing an argument
// or unwrapping an object costs more than the mutex.
#include "lock.h"

#include "../core/layout.h"
#include "seats.h"
#include "values.h"

namespace shmkit {

namespace {

// How soon a blocked thread sees that its environment is being ended (process.exit in another
// thread, worker.terminate): that cannot interrupt native code.
constexpr double kSliceMs = 100;

// Waits until the deadline in slices, for as long as the environment lives. When it does not, what
// is returned is of no consequence: no JavaScript runs there any more.
template <class Wait>
Acquired WaitInSlices(Seats& seats, const os::Deadline& deadline, Wait wait) {
  for (;;) {
    const Acquired outcome = wait(deadline.Within(kSliceMs));
    if (outcome != Acquired::kTimeout || deadline.passed() || !seats.Alive()) return outcome;
  }
}

Acquired LockWithin(Seats& seats, Seat& seat, const os::Deadline& deadline) {
  const auto wait = [&seat](const os::Deadline& slice) { return seat.object->LockUntil(slice); };
  return seats.Note(seat, WaitInSlices(seats, deadline, wait));
}

// tryLock(): undefined, or why not.
napi_value TryLock(napi_env env, napi_callback_info) {
  Seats& seats = Seats::Of(env);
  if (seats.AtLimit()) return ToValue(env, Acquired::kTooManyHeld);
  Seat& seat = seats.Current();
  return ToValue(env, seats.Note(seat, seat.object->TryLock()));
}

// lock(): the same, and blocks.
napi_value Lock(napi_env env, napi_callback_info) {
  Seats& seats = Seats::Of(env);
  if (seats.AtLimit()) return ToValue(env, Acquired::kTooManyHeld);
  Seat& seat = seats.Current();
  const Acquired at_once = seats.Note(seat, seat.object->TryLock());
  if (at_once != Acquired::kTimeout) return ToValue(env, at_once);
  return ToValue(env, LockWithin(seats, seat, os::Deadline::Never()));
}

// unlock(): what lock or tryLock took.
napi_value Unlock(napi_env env, napi_callback_info) {
  Seats& seats = Seats::Of(env);
  Seat& seat = seats.Current();
  if (!seat.held) return nullptr;
  seat.object->Unlock();
  seats.NoteRelease(seat);
  return nullptr;
}

uint32_t SeatOf(const Napi::CallbackInfo& info) { return info[0].As<Napi::Number>(); }

os::Deadline DeadlineOf(const Napi::Value& milliseconds) {
  if (!milliseconds.IsNumber()) return os::Deadline::Never();
  return os::Deadline::After(milliseconds.As<Napi::Number>().DoubleValue());
}

Napi::Value Wrapped(Napi::Env env, Acquired acquired) {
  return acquired == Acquired::kYes ? env.Undefined() : Napi::Value(env, ToValue(env, acquired));
}

// (seat, milliseconds): lock() with a limit
Napi::Value LockTimed(const Napi::CallbackInfo& info) {
  Seats& seats = Seats::Of(info.Env());
  if (seats.AtLimit()) return Wrapped(info.Env(), Acquired::kTooManyHeld);
  return Wrapped(info.Env(), LockWithin(seats, seats.At(SeatOf(info)), DeadlineOf(info[1])));
}

// (name, mode, disposition) -> seat, or a failure, or a refusal
Napi::Value Open(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  const uint32_t mode = info[1].As<Napi::Number>();
  const uint32_t disposition = info[2].As<Napi::Number>();
  OpenFailure why{};
  LockObject* object = LockObject::Open(name, mode, static_cast<Disposition>(disposition), &why);
  if (!object) return ToValue(info.Env(), why);
  return Napi::Number::New(info.Env(), Seats::Of(info.Env()).Add(object));
}

Napi::Value Close(const Napi::CallbackInfo& info) {
  Seats::Of(info.Env()).Close(SeatOf(info));
  return info.Env().Undefined();
}

Napi::Value IsLocked(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Seats::Of(info.Env()).At(SeatOf(info)).object->IsLocked());
}

// (seat, whether this thread holds it, itself or through its agent)
Napi::Value Unlink(const Napi::CallbackInfo& info) {
  const bool held = info[1].As<Napi::Boolean>();
  return ToValue(info.Env(), Seats::Of(info.Env()).At(SeatOf(info)).object->Unlink(held));
}

// (seat) -> whether there is an agent to wait
Napi::Value AgentRequest(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Seats::Of(info.Env()).Request(SeatOf(info)));
}

Napi::Value AgentCancel(const Napi::CallbackInfo& info) {
  Seats& seats = Seats::Of(info.Env());
  Seat& seat = seats.At(SeatOf(info));
  seats.Unrequest(seat);
  if (seat.agent) seat.agent->Cancel();
  return info.Env().Undefined();
}

// (seat) -> the outcome as a number, or undefined when there is none yet
Napi::Value AgentCollect(const Napi::CallbackInfo& info) {
  Seats& seats = Seats::Of(info.Env());
  Seat& seat = seats.At(SeatOf(info));
  const auto outcome = seat.agent ? seat.agent->Collect() : std::nullopt;
  if (!outcome) return info.Env().Undefined();
  seats.Unrequest(seat);
  return Napi::Number::New(info.Env(), static_cast<uint32_t>(*outcome));
}

// (seat, milliseconds or undefined) -> the outcome as a number; blocks
Napi::Value AgentCollectWithin(const Napi::CallbackInfo& info) {
  Seats& seats = Seats::Of(info.Env());
  Seat& seat = seats.At(SeatOf(info));
  const auto wait = [&seat](const os::Deadline& slice) { return seat.agent->CollectUntil(slice); };
  const Acquired outcome = WaitInSlices(seats, DeadlineOf(info[1]), wait);
  if (outcome != Acquired::kTimeout) seats.Unrequest(seat);
  return Napi::Number::New(info.Env(), static_cast<uint32_t>(outcome));
}

Napi::Value AgentRelease(const Napi::CallbackInfo& info) {
  Seats::Of(info.Env()).At(SeatOf(info)).agent->Release();
  return info.Env().Undefined();
}

// (seat) -> the object's id, which no other object of that name ever has
Napi::Value Id(const Napi::CallbackInfo& info) {
  static const char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : Seats::Of(info.Env()).At(SeatOf(info)).object->id()) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return Napi::String::New(info.Env(), text);
}

// (control words, function of a seat that agents call, function that does nothing)
Napi::Value Initialize(const Napi::CallbackInfo& info) {
  auto control = info[0].As<Napi::Int32Array>();
  Seats::Of(info.Env()).Initialize(control.Data(), info[1], info[2]);
  return info.Env().Undefined();
}

void ExportHot(napi_env env, napi_value exports, const char* name, napi_callback function) {
  napi_value value = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
  napi_set_named_property(env, exports, name, value);
}

Napi::Object Layout(Napi::Env env) {
  auto layout = Napi::Object::New(env);
  layout["magic"] = kMagic;
  layout["version"] = static_cast<uint32_t>(kLayoutVersion);
  layout["lockKind"] = static_cast<uint32_t>(Kind::kLock);
  layout["lockBytes"] = static_cast<uint32_t>(kLockBytes);
  layout["abi"] = os::Mutex::AbiWord();
  layout["magicAt"] = static_cast<uint32_t>(offsetof(Header, magic));
  layout["versionAt"] = static_cast<uint32_t>(offsetof(Header, version));
  layout["kindAt"] = static_cast<uint32_t>(offsetof(Header, kind));
  layout["abiAt"] = static_cast<uint32_t>(offsetof(Header, abi));
  layout["sizeAt"] = static_cast<uint32_t>(offsetof(Header, size));
  layout["idAt"] = static_cast<uint32_t>(offsetof(Header, id));
  layout["stateAt"] = static_cast<uint32_t>(offsetof(Header, state));
  layout["newsAt"] = static_cast<uint32_t>(offsetof(Header, news));
  layout["mutexAt"] = static_cast<uint32_t>(offsetof(Header, mutex));
  return layout;
}

}  // namespace

void ExportLocks(Napi::Env env, Napi::Object exports) {
  new Seats(env);  // the environment's from here on
  ExportHot(env, exports, "lock", Lock);
  ExportHot(env, exports, "tryLock", TryLock);
  ExportHot(env, exports, "unlock", Unlock);
  exports["initialize"] = Napi::Function::New<Initialize>(env, "initialize");
  exports["lockWithin"] = Napi::Function::New<LockTimed>(env, "lockWithin");
  exports["lockOpen"] = Napi::Function::New<Open>(env, "lockOpen");
  exports["lockClose"] = Napi::Function::New<Close>(env, "lockClose");
  exports["lockId"] = Napi::Function::New<Id>(env, "lockId");
  exports["lockIsLocked"] = Napi::Function::New<IsLocked>(env, "lockIsLocked");
  exports["lockUnlink"] = Napi::Function::New<Unlink>(env, "lockUnlink");
  exports["agentRequest"] = Napi::Function::New<AgentRequest>(env, "agentRequest");
  exports["agentCancel"] = Napi::Function::New<AgentCancel>(env, "agentCancel");
  exports["agentCollect"] = Napi::Function::New<AgentCollect>(env, "agentCollect");
  exports["agentCollectWithin"] =
      Napi::Function::New<AgentCollectWithin>(env, "agentCollectWithin");
  exports["agentRelease"] = Napi::Function::New<AgentRelease>(env, "agentRelease");
  exports["layout"] = Layout(env);
}

}  // namespace shmkit
