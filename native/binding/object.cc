// Shared objects for JavaScript: opening them by name, their bytes, waiting for their words, and
// which of their users still live.
#include "object.h"

#include <cstring>
#include <vector>

#include "../core/layout.h"
#include "../core/manager_end.h"
#include "buffers.h"
#include "draft.h"
#include "environment.h"
#include "exports.h"
#include "values.h"

namespace shmkit {

namespace {

size_t SizeOf(const Napi::Value& number) {
  return static_cast<size_t>(number.As<Napi::Number>().DoubleValue());
}

struct Bytes {
  const void* data = nullptr;
  size_t length = 0;
};

Bytes BytesOf(const Napi::Value& value) {
  if (!value.IsTypedArray()) return {};
  const auto view = value.As<Napi::Uint8Array>();
  return {view.Data(), view.ByteLength()};
}

// The properties of a plain object. No property can be read once the environment is being
// terminated.
class Properties {
 public:
  explicit Properties(const Napi::Value& object) : object_(object) {}

  Napi::Value operator[](const char* name) {
    napi_value value = nullptr;
    if (napi_get_named_property(object_.Env(), object_, name, &value) == napi_ok) {
      return Napi::Value(object_.Env(), value);
    }
    complete_ = false;
    return object_.Env().Undefined();
  }
  // Whether all requested properties could be read.
  bool complete() const { return complete_; }

 private:
  const Napi::Value object_;
  bool complete_ = true;
};

// From { bytes: Uint8Array[], at: Float64Array }: pieces of the data, and their offsets in the
// data.
std::vector<os::Piece> PiecesOf(const Napi::Value& value, size_t data_at) {
  std::vector<os::Piece> pieces;
  if (!value.IsObject()) return pieces;
  Properties given(value);
  const Napi::Value all = given["bytes"];
  const Napi::Value places = given["at"];
  if (!all.IsArray() || !places.IsTypedArray()) return pieces;
  const auto at = places.As<Napi::Float64Array>();
  for (uint32_t i = 0; i < at.ElementLength(); ++i) {
    napi_value each = nullptr;
    if (napi_get_element(value.Env(), all, i, &each) != napi_ok) return {};
    const Bytes bytes = BytesOf(Napi::Value(value.Env(), each));
    pieces.push_back({bytes.data, bytes.length, data_at + static_cast<size_t>(at[i])});
  }
  return pieces;
}

// What a new object consists of. The pieces are given apart, because the contents only refer to
// them.
void ReadContents(Properties* given, Contents* contents, std::vector<os::Piece>* pieces) {
  contents->type = (*given)["type"].As<Napi::Number>();
  contents->length = SizeOf((*given)["length"]);
  contents->words_bytes = SizeOf((*given)["wordsBytes"]);
  contents->data_bytes = SizeOf((*given)["dataBytes"]);
  const Bytes words = BytesOf((*given)["words"]);
  contents->words = words.data;
  contents->initial_words = words.length;
  const Bytes data = BytesOf((*given)["data"]);
  contents->data = data.data;
  contents->initial_data = data.length;
  *pieces = PiecesOf((*given)["pieces"], kHeaderBytes + contents->words_bytes);
  contents->pieces = pieces->data();
  contents->piece_count = pieces->size();
}

// (name, mode, disposition, contents: { kind, type, length, wordsBytes, dataBytes, words?, data?,
//  firstBytes, sealed, pieces?, draft? }, found: Float64Array) -> seat, or a failure, or a refusal
Napi::Value Open(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  const uint32_t mode = info[1].As<Napi::Number>();
  const auto disposition = static_cast<Disposition>(info[2].As<Napi::Number>().Uint32Value());
  Properties given(info[3]);
  Contents contents{};
  contents.kind = static_cast<uint16_t>(given["kind"].As<Napi::Number>().Uint32Value());
  contents.first_bytes = SizeOf(given["firstBytes"]);
  contents.sealed = given["sealed"].As<Napi::Boolean>();
  std::vector<os::Piece> pieces;
  Napi::Value draft = info.Env().Undefined();
  if (disposition != Disposition::kAttach) {
    ReadContents(&given, &contents, &pieces);
    draft = given["draft"];
  }
  if (!given.complete()) return info.Env().Undefined();
  if (draft.IsExternal()) {
    contents.draft = DraftIn(draft);
    if (!contents.draft) return ToValue(info.Env(), os::Failure{EBADF, "linkat"});
  }

  OpenFailure why{};
  SharedObject* object = SharedObject::Open(name, mode, disposition, contents, &why);
  if (!object) return ToValue(info.Env(), why);
  if (contents.draft) NoteUsed(draft);
  auto found = info[4].As<Napi::Float64Array>();
  const Shape& shape = object->shape();
  found[0] = shape.type;
  found[1] = static_cast<double>(shape.length);
  found[2] = static_cast<double>(shape.data_at);
  found[3] = static_cast<double>(shape.size);
  return Napi::Number::New(info.Env(), Environment::Of(info.Env()).seats.Add(object));
}

Napi::Value Close(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::Of(info.Env());
  if (const Seat* const seat = environment.seats.At(NumberOf(info))) {
    environment.watches.CloseAllOf(seat->object);
    environment.seats.Close(seat->index);
  }
  return info.Env().Undefined();
}

// (seat) -> the object's id, which no other object of that name ever has
Napi::Value Id(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (!seat) return {};
  static const char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : seat->object->id()) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return Napi::String::New(info.Env(), text);
}

// (seat, whether this thread holds its lock, itself or through its agent)
Napi::Value RemoveName(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (!seat) return {};
  return ToValue(info.Env(), seat->object->RemoveName(info[1].As<Napi::Boolean>() || seat->held));
}

// (seat, whether it is a lock, whether this thread holds its lock, itself or through its agent)
Napi::Value End(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (!seat) return {};
  const bool is_lock = info[1].As<Napi::Boolean>();
  return ToValue(info.Env(), seat->object->End(is_lock, info[2].As<Napi::Boolean>()));
}

// (seat, offset, length, whether users of the library get the buffer) -> a new ArrayBuffer, or
// undefined if the runtime refuses external memory. The range must be inside the object.
Napi::Value Buffer(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (!seat) return {};
  SharedObject* const object = seat->object;
  const size_t offset = SizeOf(info[1]);
  const size_t length = SizeOf(info[2]);
  if (offset > object->shape().size || length > object->shape().size - offset) {
    return info.Env().Undefined();
  }
  const auto audience =
      info[3].As<Napi::Boolean>() ? Mapping::Audience::kUsers : Mapping::Audience::kLibrary;
  return Show(info.Env(), object->mapping(), audience, offset, length);
}

// (seat, ArrayBuffer that only the library has)
Napi::Value HideBuffer(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (!seat) return {};
  Hide(info.Env(), seat->object->mapping(), info[1]);
  return info.Env().Undefined();
}

// (seat, offset, bytes) -> whether this process has certainly written nothing there
Napi::Value IsUnwritten(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (!seat) return {};
  const os::Segment& segment = seat->object->mapping()->segment();
  return Napi::Boolean::New(info.Env(), os::IsUnwritten(segment, SizeOf(info[1]), SizeOf(info[2])));
}

// (seat, offset, bytes), for an object that grows -> undefined, or a failure
Napi::Value Commit(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (!seat) return {};
  return ToValue(info.Env(), seat->object->Commit(SizeOf(info[1]), SizeOf(info[2])));
}

Napi::Value Detach(const Napi::CallbackInfo& info) {
  // Refused if the buffer was transferred in the meantime; then it is empty already.
  napi_detach_arraybuffer(info.Env(), info[0]);
  return info.Env().Undefined();
}

// (seat, offset, seen, milliseconds): blocks until the word at the offset is not `seen`, until the
// time is over, or for no reason.
Napi::Value WordWait(const Napi::CallbackInfo& info) {
  Seat* const seat = SeatOf(info);
  if (!seat) return {};
  const size_t offset = SizeOf(info[1]);
  os::WaitWord* word = seat->object->WordAt(offset);
  const uint32_t seen = info[2].As<Napi::Number>();
  if (word) seat->WaitAt(offset).Wait(*word, seen, DeadlineOf(info[3]));
  return info.Env().Undefined();
}

// (seat, offset, how many)
Napi::Value WordWake(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (!seat) return {};
  os::WaitWord* word = seat->object->WordAt(SizeOf(info[1]));
  if (word) os::Wake(*word, info[2].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

// (seat, offset) -> watch, or undefined if there is no word
Napi::Value WatchOpen(const Napi::CallbackInfo& info) {
  const Seat* const seat = SeatOf(info);
  if (!seat) return {};
  SharedObject* const object = seat->object;
  os::WaitWord* word = object->WordAt(SizeOf(info[1]));
  if (!word) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), Environment::Of(info.Env()).watches.Add(object, word));
}

// (watch, seen, milliseconds, whether the event loop stays alive for it) -> whether a thread could
// be started to wait
Napi::Value WatchWait(const Napi::CallbackInfo& info) {
  const uint32_t seen = info[1].As<Napi::Number>();
  const bool awaited = info[3].As<Napi::Boolean>();
  Watches& watches = Environment::Of(info.Env()).watches;
  const bool watched = watches.Watch(NumberOf(info), seen, DeadlineOf(info[2]), awaited);
  return Napi::Boolean::New(info.Env(), watched);
}

Napi::Value WatchSettle(const Napi::CallbackInfo& info) {
  Environment::Of(info.Env()).watches.Settle(NumberOf(info));
  return info.Env().Undefined();
}

Napi::Value WatchCancel(const Napi::CallbackInfo& info) {
  Environment::Of(info.Env()).watches.Cancel(NumberOf(info));
  return info.Env().Undefined();
}

Napi::Value WatchClose(const Napi::CallbackInfo& info) {
  Environment::Of(info.Env()).watches.Close(NumberOf(info));
  return info.Env().Undefined();
}

// addFloat64(): adds to a float64 of the current seat's object, as one atomic step. The operands
// are in the array that both sides can access (see lock.cc): the offset of the number at index 1,
// and how much to add at index 2. The old value is left at index 3.
napi_value AddFloat64(napi_env env, napi_callback_info) {
  const Seat* const seat = CurrentSeat(env);
  if (!seat) return nullptr;
  double* const operands = Environment::Of(env).seats.operands();
  std::atomic<uint64_t>* cell = seat->object->CellAt(static_cast<size_t>(operands[1]));
  if (!cell) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "there is no number at this offset");
    return nullptr;
  }
  uint64_t before = cell->load();
  uint64_t after;
  do {
    double sum;
    memcpy(&sum, &before, sizeof sum);
    sum += operands[2];
    memcpy(&after, &sum, sizeof after);
  } while (!cell->compare_exchange_weak(before, after));
  memcpy(&operands[3], &before, sizeof before);
  return nullptr;
}

// () -> the token by which others see whether this thread still lives, or a failure
Napi::Value PresenceToken(const Napi::CallbackInfo& info) {
  const auto presence = Environment::Of(info.Env()).TakePresence();
  if (!presence.ok()) return ToValue(info.Env(), presence.failure());
  return Napi::Number::New(info.Env(), static_cast<double>(presence.value()->token()));
}

// (token) -> whether the thread that took it still lives
Napi::Value IsPresent(const Napi::CallbackInfo& info) {
  const auto presence = Environment::Of(info.Env()).TakePresence();
  const double token = info[0].As<Napi::Number>().DoubleValue();
  // If the check is not possible, the thread counts as living.
  const bool is_present =
      !presence.ok() || presence.value()->IsPresent(static_cast<uint64_t>(token));
  return Napi::Boolean::New(info.Env(), is_present);
}

// (control words, on_grant, on_news, on_turn, nothing): see Environment::Initialize. on_grant gets
// the number of a seat, on_news gets the number of a watch, and on_turn gets an array of the
// numbers of seats.
Napi::Value Initialize(const Napi::CallbackInfo& info) {
  auto control = info[0].As<Napi::Int32Array>();
  Environment::Of(info.Env()).Initialize(control.Data(), {info[1], info[2], info[3], info[4]});
  return info.Env().Undefined();
}

// The numbers that both sides use for the same things.
Napi::Object Numbers(Napi::Env env) {
  return ToObject(env, {
                           {"Disposition.Create", Disposition::kCreate},
                           {"Disposition.Attach", Disposition::kAttach},
                           {"Disposition.Open", Disposition::kOpen},
                           {"Refusal.Truncated", Refusal::kTruncated},
                           {"Refusal.Foreign", Refusal::kForeign},
                           {"Refusal.Version", Refusal::kVersion},
                           {"Refusal.Abi", Refusal::kAbi},
                           {"Refusal.Kind", Refusal::kKind},
                           {"Refusal.Unfinished", Refusal::kUnfinished},
                           {"Acquired.Yes", Acquired::kYes},
                           {"Acquired.Abandoned", Acquired::kAbandoned},
                           {"Acquired.Timeout", Acquired::kTimeout},
                           {"Acquired.Gone", Acquired::kGone},
                           {"Acquired.Broken", Acquired::kBroken},
                           {"Acquired.TooManyHeld", Acquired::kTooManyHeld},
                           {"Acquired.Ended", Acquired::kEnded},
                           {"Acquired.Shallow", Acquired::kShallow},
                           {"ManagedAs.Memory", ManagedAs::kMemory},
                           {"ManagedAs.Lock", ManagedAs::kLock},
                           {"ManagedAs.Object", ManagedAs::kObject},
                           {"End.Not", ManagerEnd::kNot},
                           {"End.Begun", ManagerEnd::kBegun},
                           {"End.Done", ManagerEnd::kDone},
                       });
}

Napi::Object Layout(Napi::Env env) {
  return ToObject(env, {
                           {"magic", kMagic},
                           {"version", kLayoutVersion},
                           {"headerBytes", kHeaderBytes},
                           {"dataAlignment", kDataAlignment},
                           {"abi", os::Mutex::AbiWord()},
                           {"magicAt", offsetof(Header, magic)},
                           {"versionAt", offsetof(Header, version)},
                           {"kindAt", offsetof(Header, kind)},
                           {"abiAt", offsetof(Header, abi)},
                           {"dataAtAt", offsetof(Header, data_at)},
                           {"idAt", offsetof(Header, id)},
                           {"sizeAt", offsetof(Header, size)},
                           {"typeAt", offsetof(Header, type)},
                           {"lengthAt", offsetof(Header, length)},
                           {"stateAt", offsetof(Header, state)},
                           {"newsAt", offsetof(Header, news)},
                           {"mutexAt", offsetof(Header, mutex)},
                           {"endedAt", offsetof(Header, ended)},
                       });
}

}  // namespace

void ExportObjects(Napi::Env env, Napi::Object exports) {
  ExportAll(env, exports,
            {
                {"initialize", Initialize},
                {"objectOpen", Open},
                {"objectClose", Close},
                {"objectId", Id},
                {"objectRemoveName", RemoveName},
                {"objectEnd", End},
                {"objectBuffer", Buffer},
                {"objectCommit", Commit},
                {"objectHide", HideBuffer},
                {"bufferDetach", Detach},
                {"wordWait", WordWait},
                {"wordWake", WordWake},
                {"watchOpen", WatchOpen},
                {"watchWait", WatchWait},
                {"watchSettle", WatchSettle},
                {"watchCancel", WatchCancel},
                {"watchClose", WatchClose},
                {"addFloat64", AddFloat64},
                {"presenceToken", PresenceToken},
                {"isPresent", IsPresent},
                {"objectIsUnwritten", IsUnwritten},
            });
  exports["layout"] = Layout(env);
  exports["numbers"] = Numbers(env);
}

}  // namespace shmkit
