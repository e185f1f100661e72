// Segments for JavaScript: an External holds an Attachment, an external ArrayBuffer shows its
// bytes.
#include "segment.h"

#include <cstring>
#include <memory>
#include <mutex>

#include "../core/graveyard.h"
#include "../os/segment.h"
#include "values.h"

namespace shmkit {

namespace {

// One mapping, shared by a handle and the ArrayBuffers made of it: one, unless that was transferred
// away. Any of them may be collected first, and the finalizers may run on different threads.
class Attachment {
 public:
  explicit Attachment(const os::Segment& segment) : segment_(segment) {}

  const os::Segment& segment() const { return segment_; }
  unsigned char* bytes() const { return static_cast<unsigned char*>(segment_.address); }

  bool closed() {
    const std::lock_guard<std::mutex> guard(mutex_);
    return closed_;
  }

  void NoteBuffer() {
    const std::lock_guard<std::mutex> guard(mutex_);
    shown_ = true;
    ++buffers_;
  }

  // Idempotent.
  void Close() {
    const std::lock_guard<std::mutex> guard(mutex_);
    CloseLocked();
  }

  static void DropHandle(napi_env, void* attachment, void*) {
    static_cast<Attachment*>(attachment)->Drop(&Attachment::handles_);
  }

  // The engine has freed a buffer. Touches no environment: some run this on other threads.
  static void DropBuffer(napi_env, void*, void* attachment) {
    static_cast<Attachment*>(attachment)->Drop(&Attachment::buffers_);
  }

 private:
  void Drop(int Attachment::* count) {
    bool unused;
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      --(this->*count);
      unused = handles_ == 0 && buffers_ == 0;
      if (unused) CloseLocked();
      if (buffers_ == 0 && grave_) Settle(grave_);
    }
    if (unused) delete this;
  }

  // Memory that JavaScript never saw needs no grave.
  void CloseLocked() {
    if (closed_) return;
    closed_ = true;
    if (!shown_) {
      os::Unmap(segment_);
      return;
    }
    grave_ = Inter(segment_);
    if (buffers_ == 0) Settle(grave_);
  }

  const os::Segment segment_;
  std::mutex mutex_;  // guards all below
  int handles_ = 1;
  int buffers_ = 0;
  bool shown_ = false;
  bool closed_ = false;
  std::shared_ptr<Grave> grave_;
};

Attachment* AttachmentOf(const Napi::Value& handle) {
  return handle.As<Napi::External<Attachment>>().Data();
}

// The handle, and the segment's size in the first element of `size`, a Float64Array: an object of
// both would cost as much as a system call.
Napi::Value Hand(Napi::Env env, const os::Result<os::Segment>& result, const Napi::Value& size) {
  if (!result.ok()) return ToValue(env, result.failure());
  auto* attachment = new Attachment(result.value());
  napi_value external = nullptr;
  napi_create_external(env, attachment, Attachment::DropHandle, nullptr, &external);
  size.As<Napi::Float64Array>()[0] = static_cast<double>(result.value().size);
  return Napi::Value(env, external);
}

// (name, size, mode, sparse, sizeMade) -> handle or a failure
Napi::Value Create(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  const double size = info[1].As<Napi::Number>().DoubleValue();
  const uint32_t mode = info[2].As<Napi::Number>();
  const bool sparse = info[3].As<Napi::Boolean>();
  return Hand(info.Env(), os::Create(name, {static_cast<size_t>(size), mode, sparse}), info[4]);
}

// (name, readOnly, sizeFound) -> handle or a failure
Napi::Value Attach(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  const bool read_only = info[1].As<Napi::Boolean>();
  return Hand(info.Env(),
              os::Attach(name, read_only ? os::Access::kReadOnly : os::Access::kReadWrite),
              info[2]);
}

// (handle) -> a new ArrayBuffer, or undefined where the runtime refuses external memory
Napi::Value Buffer(const Napi::CallbackInfo& info) {
  Attachment* attachment = AttachmentOf(info[0]);
#if defined(NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED)
  (void)attachment;
  return info.Env().Undefined();
#else
  attachment->NoteBuffer();
  napi_value buffer = nullptr;
  const napi_status status =
      napi_create_external_arraybuffer(info.Env(), attachment->bytes(), attachment->segment().size,
                                       Attachment::DropBuffer, attachment, &buffer);
  if (status == napi_ok) return Napi::Value(info.Env(), buffer);
  // A runtime without external memory says so at once. One that failed otherwise calls the
  // finalizer, now or later, or never: dropping the reference here might drop it twice.
  if (status == napi_no_external_buffers_allowed)
    Attachment::DropBuffer(nullptr, nullptr, attachment);
  bool pending = false;
  napi_is_exception_pending(info.Env(), &pending);
  napi_value ignored;
  if (pending) napi_get_and_clear_last_exception(info.Env(), &ignored);
  return info.Env().Undefined();
#endif
}

// (handle, its latest ArrayBuffer if there is one)
Napi::Value Close(const Napi::CallbackInfo& info) {
  if (info[1].IsArrayBuffer()) {
    // Refused when it was transferred away meanwhile: then it is empty already.
    napi_detach_arraybuffer(info.Env(), info[1]);
  }
  AttachmentOf(info[0])->Close();
  return info.Env().Undefined();
}

// (handle, offset, target): fills the target from the segment. The caller checks the bounds.
Napi::Value CopyOut(const Napi::CallbackInfo& info) {
  Attachment* attachment = AttachmentOf(info[0]);
  const auto offset = static_cast<size_t>(info[1].As<Napi::Number>().DoubleValue());
  auto target = info[2].As<Napi::Uint8Array>();
  if (!attachment->closed() && target.ByteLength() > 0) {
    memcpy(target.Data(), attachment->bytes() + offset, target.ByteLength());
  }
  return info.Env().Undefined();
}

// (handle, offset, source): the other way. The two may overlap, as the source may be a view of the
// segment itself.
Napi::Value CopyIn(const Napi::CallbackInfo& info) {
  Attachment* attachment = AttachmentOf(info[0]);
  const auto offset = static_cast<size_t>(info[1].As<Napi::Number>().DoubleValue());
  const auto source = info[2].As<Napi::Uint8Array>();
  if (!attachment->closed() && source.ByteLength() > 0) {
    memmove(attachment->bytes() + offset, source.Data(), source.ByteLength());
  }
  return info.Env().Undefined();
}

// (name, handle or undefined): with a handle, only while the name leads to its segment
Napi::Value Unlink(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  if (info[1].IsUndefined()) return ToValue(info.Env(), os::Unlink(name));
  return ToValue(info.Env(), os::Unlink(name, &AttachmentOf(info[1])->segment().identity));
}

// () -> [{ name, size, mode, uid }] or a failure
Napi::Value List(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto result = os::List();
  if (!result.ok()) return ToValue(env, result.failure());
  auto all = Napi::Array::New(env, result.value().size());
  uint32_t index = 0;
  for (const os::Listing& listing : result.value()) {
    auto entry = Napi::Object::New(env);
    entry["name"] = listing.name;
    entry["size"] = static_cast<double>(listing.size);
    entry["mode"] = listing.mode;
    entry["uid"] = listing.uid;
    all[index++] = entry;
  }
  return all;
}

}  // namespace

void ExportSegments(Napi::Env env, Napi::Object exports) {
  exports["segmentCreate"] = Napi::Function::New<Create>(env, "segmentCreate");
  exports["segmentAttach"] = Napi::Function::New<Attach>(env, "segmentAttach");
  exports["segmentBuffer"] = Napi::Function::New<Buffer>(env, "segmentBuffer");
  exports["segmentClose"] = Napi::Function::New<Close>(env, "segmentClose");
  exports["segmentCopyOut"] = Napi::Function::New<CopyOut>(env, "segmentCopyOut");
  exports["segmentCopyIn"] = Napi::Function::New<CopyIn>(env, "segmentCopyIn");
  exports["segmentUnlink"] = Napi::Function::New<Unlink>(env, "segmentUnlink");
  exports["segmentList"] = Napi::Function::New<List>(env, "segmentList");
  exports["nameLimitBytes"] = static_cast<double>(os::kNameLimitBytes);
}

}  // namespace shmkit
