#include "shared_object.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <random>
#include <thread>
#include <tuple>

namespace shmkit {

namespace {

// How long an attacher waits for a creator to finish, where it can be seen at work at all.
constexpr double kCreatorGraceMs = 1000;

// Attach and create chase each other only while others make progress; this many rounds lost in a
// row mean that something else is wrong.
constexpr int kMostRounds = 10000;

// What makes two openings the same object. The segment's identity says nothing on macOS, the
// header's id nothing of a file that somebody copied.
using Key = std::tuple<uint64_t, uint64_t, os::ObjectId>;

struct Registry {
  std::mutex guard;
  std::map<Key, SharedObject*> objects;
};

// Never destroyed: agent threads may outlive the statics at the end of a process.
Registry& TheRegistry() {
  static auto* registry = new Registry;
  return *registry;
}

os::ObjectId RandomId() {
  std::random_device source;
  os::ObjectId id;
  for (size_t at = 0; at < id.size(); at += 4) {
    const uint32_t word = source();
    memcpy(id.data() + at, &word, 4);
  }
  return id;
}

os::ObjectId IdOf(const Header& header) {
  os::ObjectId id;
  memcpy(id.data(), header.id, id.size());
  return id;
}

Key KeyOf(const os::Segment& segment) {
  const auto& header = *static_cast<const Header*>(segment.address);
  return {segment.identity.device, segment.identity.object, IdOf(header)};
}

struct Plan {
  const Contents& contents;
  unsigned mode;
  os::ObjectId id;
};

size_t DataAt(const Contents& contents) { return kHeaderBytes + contents.words_bytes; }

os::Status Fill(void* memory, void* context) {
  const auto* plan = static_cast<const Plan*>(context);
  const Contents& contents = plan->contents;
  auto* bytes = static_cast<unsigned char*>(memory);
  auto* header = new (memory) Header{};
  header->version = kLayoutVersion;
  header->kind = contents.kind;
  header->abi = os::Mutex::AbiWord();
  header->data_at = static_cast<uint32_t>(DataAt(contents));
  header->size = DataAt(contents) + contents.data_bytes;
  header->type = contents.type;
  header->length = contents.length;
  memcpy(header->id, plan->id.data(), plan->id.size());
  if (contents.initial_words > 0) {
    memcpy(bytes + kHeaderBytes, contents.words, contents.initial_words);
  }
  if (contents.initial_data > 0) {
    memcpy(bytes + DataAt(contents), contents.data, contents.initial_data);
  }
  os::Status made = os::Mutex::Initialize(header->mutex, plan->id, plan->mode);
  if (!made.ok()) return made;
  // Where the object can be seen before it is finished, it has its magic word when it has the rest.
  header->magic = kMagic;
  header->state.store(kLive, std::memory_order_release);
  return made;
}

os::Access AccessTo(const Contents& contents) {
  return contents.first_bytes > 0 ? os::Access::kGrowing : os::Access::kReadWrite;
}

void AwaitCreator(const Header& header) {
  const os::Deadline grace = os::Deadline::After(kCreatorGraceMs);
  while (header.state.load(std::memory_order_acquire) == kMaking && !grace.passed()) {
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
}

std::optional<Refusal> Inspect(const os::Segment& segment, uint16_t kind, uint32_t* found) {
  const auto& header = *static_cast<const Header*>(segment.address);
  *found = static_cast<uint32_t>(std::min<uint64_t>(segment.size, UINT32_MAX));
  if (segment.size < kHeaderBytes) return Refusal::kTruncated;
  const uint32_t bytes = *found;
  // What is here of the rest of the header may be half written until the state is.
  const bool may_be_unfinished = header.magic == 0 || header.magic == kMagic;
  if (may_be_unfinished && !os::kPublishesWhole) AwaitCreator(header);
  *found = header.magic;
  if (header.magic == 0) return Refusal::kUnfinished;
  if (header.magic != kMagic) return Refusal::kForeign;
  *found = header.version;
  if (header.version != kLayoutVersion) return Refusal::kVersion;
  *found = header.abi;
  if (header.abi != os::Mutex::AbiWord()) return Refusal::kAbi;
  *found = header.kind;
  if (header.kind != kind) return Refusal::kKind;
  *found = header.state.load(std::memory_order_acquire);
  if (*found == kMaking || *found > kDead) return Refusal::kUnfinished;
  // Some systems round a segment's size up to whole pages, none down.
  const bool whole = header.size <= segment.size && header.data_at <= header.size &&
                     header.data_at >= kHeaderBytes && header.data_at % kDataAlignment == 0;
  if (whole) return std::nullopt;
  *found = bytes;
  return Refusal::kTruncated;
}

// Bounded, should somebody have changed the header since it was inspected.
Shape ShapeOf(const os::Segment& segment) {
  const auto& header = *static_cast<const Header*>(segment.address);
  const size_t size = std::min<size_t>(header.size, segment.size);
  const size_t data_at = std::min<size_t>(header.data_at, size);
  return {header.type, header.length, data_at - data_at % kDataAlignment, size};
}

}  // namespace

SharedObject::SharedObject(std::string name, const os::Segment& segment, const os::Mutex& mutex)
    : name_(std::move(name)),
      mapping_(new Mapping(segment)),
      identity_(segment.identity),
      header_(static_cast<Header*>(segment.address)),
      shape_(ShapeOf(segment)),
      id_(IdOf(*header_)),
      mutex_(mutex) {}

SharedObject* SharedObject::Adopt(const std::string& name, const os::Segment& segment,
                                  OpenFailure* why) {
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> guard(registry.guard);
  const Key key = KeyOf(segment);
  const auto known = registry.objects.find(key);
  if (known != registry.objects.end()) {
    os::Unmap(segment);
    ++known->second->references_;
    return known->second;
  }
  auto* header = static_cast<Header*>(segment.address);
  const os::Result<os::Mutex> mutex = os::Mutex::Open(header->mutex, IdOf(*header));
  if (!mutex.ok()) {
    os::Unmap(segment);
    *why = {mutex.failure(), std::nullopt, 0};
    return nullptr;
  }
  auto* object = new SharedObject(name, segment, mutex.value());
  registry.objects.emplace(key, object);
  return object;
}

// The object that has the name, if it is one to use. When it was not and has been cleared away,
// `*cleared`.
SharedObject* SharedObject::Find(const std::string& name, const Contents& contents,
                                 OpenFailure* why, bool* cleared) {
  const os::Result<os::Segment> found = os::Attach(name, AccessTo(contents));
  if (!found.ok()) {
    *why = {found.failure(), std::nullopt, 0};
    // An object without bytes cannot be mapped, and is the extreme of a truncated one.
    if (found.failure().error == EINVAL) *why = {{0, ""}, Refusal::kTruncated, 0};
    return nullptr;
  }
  const os::Segment& segment = found.value();
  uint32_t word = 0;
  if (const auto refusal = Inspect(segment, contents.kind, &word)) {
    // What a creator left that died at work is cleared; where it cannot have, it is not ours.
    const bool unfinished = refusal == Refusal::kUnfinished && word == kMaking;
    const bool litter = unfinished && !os::kPublishesWhole;
    *cleared = litter && os::Unlink(name, &segment.identity).ok();
    os::Unmap(segment);
    *why = {{0, ""}, refusal, word};
    return nullptr;
  }
  SharedObject* object = Adopt(name, segment, why);
  if (!object || word != kDead) return object;
  const os::Status gone = object->Clear();
  object->DropReference();
  *cleared = gone.ok() || gone.failure().error == ENOENT;
  if (!*cleared) *why = {gone.failure(), std::nullopt, 0};
  return nullptr;
}

SharedObject* SharedObject::Open(const std::string& name, unsigned mode, Disposition disposition,
                                 const Contents& contents, OpenFailure* why) {
  for (int round = 0; round < kMostRounds; ++round) {
    bool cleared = false;
    if (disposition != Disposition::kCreate) {
      if (SharedObject* object = Find(name, contents, why, &cleared)) return object;
      if (cleared) continue;
      if (disposition == Disposition::kAttach || why->failure.error != ENOENT) return nullptr;
    }
    Plan plan{contents, mode, RandomId()};
    const os::Initializer initializer{Fill, &plan};
    const size_t size = DataAt(contents) + contents.data_bytes;
    const os::Result<os::Segment> made =
        os::Create(name, {size, mode, /*sparse=*/false, contents.first_bytes}, &initializer);
    if (made.ok()) return Adopt(name, made.value(), why);
    os::Mutex::Dispose(plan.id);
    *why = {made.failure(), std::nullopt, 0};
    if (made.failure().error != EEXIST) return nullptr;
    if (disposition == Disposition::kCreate) {
      OpenFailure ignored{};
      if (SharedObject* taken = Find(name, contents, &ignored, &cleared)) taken->DropReference();
      if (!cleared) return nullptr;
    }
  }
  return nullptr;
}

void SharedObject::AddReference() {
  const std::lock_guard<std::mutex> guard(TheRegistry().guard);
  ++references_;
}

void SharedObject::DropReference() {
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> guard(registry.guard);
  if (--references_ > 0 || pinned_) return;
  registry.objects.erase({identity_.device, identity_.object, id_});
  mutex_.Close();
  mapping_->Close();
  mapping_->Abandon();
  delete this;
}

void SharedObject::Pin() {
  const std::lock_guard<std::mutex> guard(TheRegistry().guard);
  pinned_ = true;
}

os::WaitWord* SharedObject::WordAt(size_t offset) const {
  const bool inside = offset >= kHeaderBytes && offset <= shape_.size &&
                      shape_.size - offset >= sizeof(os::WaitWord) && offset % 8 == 0;
  return inside ? reinterpret_cast<os::WaitWord*>(mapping_->bytes() + offset) : nullptr;
}

os::Status SharedObject::RemoveName() { return os::Unlink(name_, &identity_); }

}  // namespace shmkit
