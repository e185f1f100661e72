#include "draft.h"

#include <cerrno>

#include "../core/mapping.h"
#include "buffers.h"
#include "exports.h"
#include "values.h"

namespace shmkit {

namespace {

// The draft of a value that JavaScript has, and its mapping while it is mapped.
class MappedDraft {
 public:
  explicit MappedDraft(const os::Draft& draft) : draft_(draft) {}
  ~MappedDraft() {
    Unmap();
    Discard();
  }
  MappedDraft(const MappedDraft&) = delete;
  MappedDraft& operator=(const MappedDraft&) = delete;

  // Null if it was discarded, or an object was made out of it.
  const os::Draft* draft() const { return discarded_ ? nullptr : &draft_; }

  os::Result<Mapping*> Map() {
    if (discarded_) return os::Failure{EBADF, "mmap"};
    Unmap();
    const auto mapped = WithRoom([&] { return os::MapDraft(draft_); });
    if (!mapped.ok()) return mapped.failure();
    return mapping_ = new Mapping(mapped.value());
  }
  // What is still written through a buffer goes astray.
  void Unmap() {
    if (!mapping_) return;
    mapping_->Close();
    mapping_->Abandon();
    mapping_ = nullptr;
  }
  void Discard() {
    if (!discarded_) os::DiscardDraft(draft_);
    discarded_ = true;
  }

 private:
  const os::Draft draft_;
  bool discarded_ = false;
  Mapping* mapping_ = nullptr;
};

void DropDraft(napi_env, void* draft, void*) { delete static_cast<MappedDraft*>(draft); }

MappedDraft* DraftOf(const Napi::Value& value) {
  return value.As<Napi::External<MappedDraft>>().Data();
}

// (bytes, directory or an empty string) -> a draft, or a failure
Napi::Value DraftBegin(const Napi::CallbackInfo& info) {
  const auto bytes = static_cast<size_t>(info[0].As<Napi::Number>().DoubleValue());
  const std::string directory = info[1].As<Napi::String>();
  const auto begun = WithMemory(bytes, [&] { return os::BeginDraft(bytes, directory); });
  if (!begun.ok()) return ToValue(info.Env(), begun.failure());
  auto* const draft = new MappedDraft(begun.value());
  napi_value external = nullptr;
  // This fails when the environment is being terminated.
  if (napi_create_external(info.Env(), draft, DropDraft, nullptr, &external) != napi_ok) {
    delete draft;
    return info.Env().Undefined();
  }
  return Napi::Value(info.Env(), external);
}

// (draft, offset) -> a new ArrayBuffer over all bytes from the offset on; or undefined if the
// runtime refuses external memory; or a failure. Earlier buffers must have been emptied.
Napi::Value DraftShow(const Napi::CallbackInfo& info) {
  const auto offset = static_cast<size_t>(info[1].As<Napi::Number>().DoubleValue());
  const auto mapped = DraftOf(info[0])->Map();
  if (!mapped.ok()) return ToValue(info.Env(), mapped.failure());
  // The file may be longer, if an attempt to make an object out of it has failed.
  const size_t bytes = DraftOf(info[0])->draft()->size - offset;
  return Show(info.Env(), mapped.value(), Mapping::Audience::kUsers, offset, bytes);
}

// (draft, its ArrayBuffer if there is one): empties the ArrayBuffer
Napi::Value DraftHide(const Napi::CallbackInfo& info) {
  // Refused if the buffer was transferred in the meantime; then it is empty already.
  if (info[1].IsArrayBuffer()) napi_detach_arraybuffer(info.Env(), info[1]);
  DraftOf(info[0])->Unmap();
  return info.Env().Undefined();
}

// (draft), which is not shown
Napi::Value DraftEnd(const Napi::CallbackInfo& info) {
  DraftOf(info[0])->Discard();
  return info.Env().Undefined();
}

}  // namespace

const os::Draft* DraftIn(const Napi::Value& value) { return DraftOf(value)->draft(); }

void NoteUsed(const Napi::Value& value) { DraftOf(value)->Discard(); }

void ExportDrafts(Napi::Env env, Napi::Object exports) {
  ExportAll(env, exports,
            {
                {"draftBegin", DraftBegin},
                {"draftShow", DraftShow},
                {"draftHide", DraftHide},
                {"draftEnd", DraftEnd},
            });
}

}  // namespace shmkit
