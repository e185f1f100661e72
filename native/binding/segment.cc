// Segments for JavaScript: an External holds a Mapping, an external ArrayBuffer shows its bytes.
#include "segment.h"

#include <cstring>

#include "../core/mapping.h"
#include "../os/random.h"
#include "../os/segment.h"
#include "buffers.h"
#include "exports.h"
#include "values.h"

namespace shmkit {

namespace {

void DropHandle(napi_env, void* mapping, void*) { static_cast<Mapping*>(mapping)->Abandon(); }

Mapping* MappingOf(const Napi::Value& handle) {
  return handle.As<Napi::External<Mapping>>().Data();
}

// The result is the handle. The segment's size is stored in the first element of `size`, a
// Float64Array, because an object with both would cost as much as a system call.
Napi::Value Hand(Napi::Env env, const os::Result<os::Segment>& result, const Napi::Value& size) {
  if (!result.ok()) return ToValue(env, result.failure());
  auto* mapping = new Mapping(result.value());
  napi_value external = nullptr;
  napi_create_external(env, mapping, DropHandle, nullptr, &external);
  size.As<Napi::Float64Array>()[0] = static_cast<double>(result.value().size);
  return Napi::Value(env, external);
}

// The first bytes of a segment, which it has as soon as it appears under its name.
struct FirstBytes {
  const void* data;
  size_t length;
};

os::Status CopyFirstBytes(void* memory, void* context) {
  const auto* contents = static_cast<const FirstBytes*>(context);
  memcpy(memory, contents->data, contents->length);
  return os::Nothing{};
}

// (name, size, mode, sparse, sizeMade, contents or undefined) -> handle or a failure
Napi::Value SegmentCreate(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  const auto size = static_cast<size_t>(info[1].As<Napi::Number>().DoubleValue());
  const uint32_t mode = info[2].As<Napi::Number>();
  const bool sparse = info[3].As<Napi::Boolean>();
  const os::CreateOptions options{size, mode, sparse};
  FirstBytes contents{nullptr, 0};
  const os::Initializer initializer{CopyFirstBytes, &contents};
  const bool is_given = info[5].IsTypedArray();
  if (is_given) {
    const auto given = info[5].As<Napi::Uint8Array>();
    contents = {given.Data(), given.ByteLength()};
  }
  const auto create = [&] { return os::Create(name, options, is_given ? &initializer : nullptr); };
  return Hand(info.Env(), WithMemory(size, create), info[4]);
}

// (name, readOnly, sizeFound) -> handle or a failure
Napi::Value SegmentAttach(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  const bool read_only = info[1].As<Napi::Boolean>();
  const os::Access access = read_only ? os::Access::kReadOnly : os::Access::kReadWrite;
  return Hand(info.Env(), WithRoom([&] { return os::Attach(name, access); }), info[2]);
}

// (handle, offset, length) -> a new ArrayBuffer, or undefined if the runtime refuses external
// memory. The range must be inside the segment.
Napi::Value SegmentBuffer(const Napi::CallbackInfo& info) {
  Mapping* mapping = MappingOf(info[0]);
  const auto offset = static_cast<size_t>(info[1].As<Napi::Number>().DoubleValue());
  const auto length = static_cast<size_t>(info[2].As<Napi::Number>().DoubleValue());
  const size_t size = mapping->segment().size;
  if (offset > size || length > size - offset) return info.Env().Undefined();
  return Show(info.Env(), mapping, Mapping::Audience::kUsers, offset, length);
}

// (handle, its latest ArrayBuffer if there is one)
Napi::Value SegmentClose(const Napi::CallbackInfo& info) {
  if (info[1].IsArrayBuffer()) {
    // Refused if the buffer was transferred in the meantime; then it is empty already.
    napi_detach_arraybuffer(info.Env(), info[1]);
  }
  MappingOf(info[0])->Close();
  return info.Env().Undefined();
}

// (handle, offset, target): fills the target from the segment. The caller checks the bounds.
Napi::Value SegmentCopyOut(const Napi::CallbackInfo& info) {
  Mapping* mapping = MappingOf(info[0]);
  const auto offset = static_cast<size_t>(info[1].As<Napi::Number>().DoubleValue());
  auto target = info[2].As<Napi::Uint8Array>();
  if (!mapping->closed() && target.ByteLength() > 0) {
    memcpy(target.Data(), mapping->bytes() + offset, target.ByteLength());
  }
  return info.Env().Undefined();
}

// (handle, offset, source): the other direction. The two may overlap, because the source may be a
// view of the segment itself.
Napi::Value SegmentCopyIn(const Napi::CallbackInfo& info) {
  Mapping* mapping = MappingOf(info[0]);
  const auto offset = static_cast<size_t>(info[1].As<Napi::Number>().DoubleValue());
  const auto source = info[2].As<Napi::Uint8Array>();
  if (!mapping->closed() && source.ByteLength() > 0) {
    memmove(mapping->bytes() + offset, source.Data(), source.ByteLength());
  }
  return info.Env().Undefined();
}

// (name, handle or undefined): with a handle, only while the name leads to its segment
Napi::Value SegmentUnlink(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  if (info[1].IsUndefined()) return ToValue(info.Env(), os::Unlink(name));
  Mapping* const mapping = MappingOf(info[1]);
  const os::Status unlinked = os::Unlink(name, &mapping->segment().identity);
  if (unlinked.ok()) mapping->NoteUnlinked();
  return ToValue(info.Env(), unlinked);
}

// (handle, name) -> whether the name leads to this segment
Napi::Value SegmentIsNamed(const Napi::CallbackInfo& info) {
  const std::string name = info[1].As<Napi::String>();
  const auto found = WithRoom([&] { return os::Attach(name, os::Access::kReadOnly); });
  if (!found.ok()) return Napi::Boolean::New(info.Env(), false);
  const bool is_named = found.value().identity == MappingOf(info[0])->segment().identity;
  os::Unmap(found.value());
  return Napi::Boolean::New(info.Env(), is_named);
}

// (handle, offset, bytes) -> whether this process has certainly written nothing there
Napi::Value SegmentIsUnwritten(const Napi::CallbackInfo& info) {
  Mapping* mapping = MappingOf(info[0]);
  const auto offset = static_cast<size_t>(info[1].As<Napi::Number>().DoubleValue());
  const auto bytes = static_cast<size_t>(info[2].As<Napi::Number>().DoubleValue());
  const bool is_known = !mapping->closed() && os::IsUnwritten(mapping->segment(), offset, bytes);
  return Napi::Boolean::New(info.Env(), is_known);
}

// () -> [{ name, size, mode, uid }] or a failure
Napi::Value SegmentList(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto result = os::List();
  if (!result.ok()) return ToValue(env, result.failure());
  auto all = Napi::Array::New(env, result.value().size());
  uint32_t index = 0;
  for (const os::Listing& listing : result.value()) {
    Fields fields(env);
    fields.Set("name", listing.name.c_str());
    fields.Set("size", static_cast<double>(listing.size));
    fields.Set("mode", listing.mode);
    fields.Set("uid", listing.uid);
    napi_set_element(env, all, index++, fields.Take());
  }
  return all;
}

// () -> how many bytes the process may have, as far as the system tells
Napi::Value MemoryLimit(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(os::MemoryLimit()));
}

// () -> 64 random bits
Napi::Value RandomBits(const Napi::CallbackInfo& info) {
  return Napi::BigInt::New(info.Env(), os::Random<uint64_t>());
}

// (how many bytes more, or fewer if it is negative)
Napi::Value ExternalMemory(const Napi::CallbackInfo& info) {
  int64_t total = 0;
  napi_adjust_external_memory(info.Env(), info[0].As<Napi::Number>().Int64Value(), &total);
  return info.Env().Undefined();
}

}  // namespace

void ExportSegments(Napi::Env env, Napi::Object exports) {
  ExportAll(env, exports,
            {
                {"segmentCreate", SegmentCreate},
                {"segmentAttach", SegmentAttach},
                {"segmentBuffer", SegmentBuffer},
                {"segmentClose", SegmentClose},
                {"segmentCopyOut", SegmentCopyOut},
                {"segmentCopyIn", SegmentCopyIn},
                {"segmentUnlink", SegmentUnlink},
                {"segmentIsNamed", SegmentIsNamed},
                {"segmentIsUnwritten", SegmentIsUnwritten},
                {"segmentList", SegmentList},
                {"memoryLimit", MemoryLimit},
                {"externalMemory", ExternalMemory},
                {"randomBits", RandomBits},
            });
  exports["nameLimitBytes"] = static_cast<double>(os::kNameLimitBytes);
  exports["mapUnit"] = static_cast<double>(os::MapUnit());
  exports["namesOutliveHandles"] = os::kNamesOutliveHandles;
  if (os::kPlace) exports["place"] = os::kPlace;
}

}  // namespace shmkit
