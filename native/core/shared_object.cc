#include "shared_object.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <tuple>

#include "../os/random.h"
#include "../os/thread.h"

namespace shmkit {

namespace {

// How long an attaching process waits for a creator to finish, where an unfinished object is
// visible at all: the first number, plus the time to fill the object at the second number. Even a
// slow machine fills an object faster.
constexpr double kCreatorGraceMs = 1000;
constexpr double kCreatorBytesPerMs = 1e5;

// The header and the words of a sealed object that has room for the usual number of participants
// (roster.ts).
constexpr size_t kUsuallySharedBytes = 8192;

// Attach and create repeat only while other processes make progress. So many lost rounds in a row
// mean that something else is wrong.
constexpr int kMostRounds = 10000;

// What identifies an object. The segment's identity says nothing on macOS. The id in the header
// says nothing about a file that was copied.
using Key = std::tuple<uint64_t, uint64_t, os::ObjectId>;

struct Registry {
  std::mutex guard;
  std::map<Key, SharedObject*> objects;
};

// Never destroyed, because agent threads may outlive the statics at the end of a process.
Registry& TheRegistry() {
  static auto* registry = new Registry;
  return *registry;
}

Key KeyOf(const os::Identity& identity, const os::ObjectId& id) {
  return {identity.device, identity.object, id};
}

struct Plan {
  const Contents& contents;
  unsigned mode;
  os::ObjectId id;
};

size_t DataAt(const Contents& contents) { return kHeaderBytes + contents.words_bytes; }

size_t SizeOf(const Contents& contents) { return DataAt(contents) + contents.data_bytes; }

bool Fits(const Contents& contents) {
  return contents.words_bytes % kDataAlignment == 0 && DataAt(contents) <= UINT32_MAX &&
         contents.initial_words <= contents.words_bytes &&
         contents.initial_data <= contents.data_bytes;
}

bool CanBeSealed(size_t data_at, size_t size) {
  return data_at % os::MapUnit() == 0 && data_at < size;
}

os::CreateOptions OptionsFor(const Contents& contents, unsigned mode) {
  os::CreateOptions options{SizeOf(contents), mode, /*sparse=*/false, contents.first_bytes};
  if (contents.sealed) {
    options.shared_bytes = DataAt(contents);
    options.pieces = contents.pieces;
    options.piece_count = contents.piece_count;
    options.draft = contents.draft;
  }
  return options;
}

os::Status Fill(void* memory, void* context) {
  const auto* plan = static_cast<const Plan*>(context);
  const Contents& contents = plan->contents;
  auto* bytes = static_cast<unsigned char*>(memory);
  // Where others see the object already, they may have given it up, and its state says so. New
  // memory is zero there.
  auto* header = os::kPublishesWhole ? new (memory) Header{} : static_cast<Header*>(memory);
  header->version = kLayoutVersion;
  header->kind = contents.kind;
  header->abi = os::Mutex::AbiWord();
  header->data_at = static_cast<uint32_t>(DataAt(contents));
  header->size = SizeOf(contents);
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
  header->magic = kMagic;
  // An object that is visible already gets this state by Publish.
  if (os::kPublishesWhole) header->state.store(kLive, std::memory_order_relaxed);
  return made;
}

// The creator's step, and that of a thread that has waited too long for the creator. The first of
// them decides.
bool Leave(State to, Header* header) {
  uint32_t making = kMaking;
  return header->state.compare_exchange_strong(making, to);
}

bool Publish(void* memory, void*) { return Leave(kLive, static_cast<Header*>(memory)); }

os::Access AccessTo(const Contents& contents) {
  if (contents.sealed) return os::Access::kSealed;
  return contents.first_bytes > 0 ? os::Access::kGrowing : os::Access::kReadWrite;
}

// How much of a sealed object is shared unless somebody has asked for more participants.
size_t UsuallyShared() {
  const size_t unit = os::MapUnit();
  return (kUsuallySharedBytes + unit - 1) / unit * unit;
}

// Waits until the creator is done, but no longer than a living creator may need.
void AwaitCreator(const Header& header, size_t size) {
  const double at_most = kCreatorGraceMs + static_cast<double>(size) / kCreatorBytesPerMs;
  const os::Deadline grace = os::Deadline::After(at_most);
  while (header.state.load(std::memory_order_acquire) == kMaking && !grace.passed()) {
    os::SleepFor(1);
  }
}

// Copies the constant part of the header, and reads each word once. What was checked must be what
// is used, even if another process writes to the header at this moment.
void ReadOnce(const os::Segment& segment, Header* copy) {
  constexpr size_t kWords = offsetof(Header, state) / sizeof(uint64_t);
  const auto* shared = static_cast<const volatile uint64_t*>(segment.address);
  uint64_t words[kWords];
  for (size_t i = 0; i < kWords; ++i) words[i] = shared[i];
  memcpy(static_cast<void*>(copy), words, sizeof words);
}

// Checks whether the segment is an object of this kind that can be used here. Returns nothing if it
// is, and `*copy` has its header then. Otherwise returns the reason.
std::optional<Refusal> Inspect(const os::Segment& segment, const Contents& wanted, Header* copy,
                               uint32_t* found) {
  const auto& shared = *static_cast<const Header*>(segment.address);
  const auto bytes = static_cast<uint32_t>(std::min<uint64_t>(segment.size, UINT32_MAX));
  *found = bytes;
  if (segment.size < kHeaderBytes) return Refusal::kTruncated;
  // Read the state before the rest. A creator writes the state last. So if the state is final, the
  // rest is complete, too. In the other order, the creator could finish between the two reads: then
  // the rest would be half written, and the state would say that it is complete.
  uint32_t state = shared.state.load(std::memory_order_acquire);
  ReadOnce(segment, copy);
  // Until the state says that the object is finished, the rest of the header may be half written.
  const bool may_be_unfinished = copy->magic == 0 || copy->magic == kMagic;
  if (may_be_unfinished && !os::kPublishesWhole) {
    AwaitCreator(shared, segment.size);
    state = shared.state.load(std::memory_order_acquire);
    ReadOnce(segment, copy);
  }
  *found = copy->magic;
  if (copy->magic == 0) return Refusal::kUnfinished;
  if (copy->magic != kMagic) return Refusal::kForeign;
  *found = copy->version;
  if (copy->version != kLayoutVersion) return Refusal::kVersion;
  *found = copy->abi;
  if (copy->abi != os::Mutex::AbiWord()) return Refusal::kAbi;
  *found = copy->kind;
  if (wanted.kind != kAnyKind && copy->kind != wanted.kind) return Refusal::kKind;
  *found = state;
  if (state == kMaking || state > kDead) return Refusal::kUnfinished;
  // Some systems round the size of a segment up to whole pages. None rounds it down.
  const bool whole = copy->size <= segment.size && copy->data_at <= copy->size &&
                     copy->data_at >= kHeaderBytes && copy->data_at % kDataAlignment == 0;
  if (whole && (!wanted.sealed || CanBeSealed(copy->data_at, copy->size))) return std::nullopt;
  *found = bytes;
  return Refusal::kTruncated;
}

// Removes the name of an object that its creator has not finished in time. Returns whether the name
// is worth another try: it leads elsewhere, or the creator has finished at the last moment.
bool ClearUnfinished(const std::string& name, const os::Segment& segment) {
  auto* header = static_cast<Header*>(segment.address);
  if (!Leave(kDead, header)) {
    const uint32_t state = header->state.load();
    if (state == kLive || state == kDoomed) return header->magic == kMagic;
    if (state != kDead) return false;
  }
  const os::Status gone = os::Unlink(name, &segment.identity);
  // It is gone already if another attaching process was faster.
  return gone.ok() || gone.failure().error == ENOENT;
}

SharedObject::Facts FactsOf(const Header& inspected) {
  SharedObject::Facts facts{};
  memcpy(facts.id.data(), inspected.id, facts.id.size());
  facts.shape = {inspected.type, inspected.length, inspected.data_at,
                 static_cast<size_t>(inspected.size)};
  return facts;
}

SharedObject::Facts FactsOf(const Plan& plan) {
  const Contents& contents = plan.contents;
  return {plan.id, {contents.type, contents.length, DataAt(contents), SizeOf(contents)}};
}

}  // namespace

SharedObject::SharedObject(std::string name, const os::Segment& segment, const Facts& facts,
                           const os::Mutex& mutex)
    : name_(std::move(name)),
      mapping_(new Mapping(segment)),
      identity_(segment.identity),
      header_(static_cast<Header*>(segment.address)),
      shape_(facts.shape),
      id_(facts.id),
      mutex_(mutex) {}

SharedObject* SharedObject::Adopt(const std::string& name, const os::Segment& segment,
                                  const Facts& facts, OpenFailure* why) {
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> guard(registry.guard);
  const Key key = KeyOf(segment.identity, facts.id);
  const auto known = registry.objects.find(key);
  if (known != registry.objects.end()) {
    os::Unmap(segment);
    ++known->second->references_;
    return known->second;
  }
  auto* header = static_cast<Header*>(segment.address);
  const os::Result<os::Mutex> mutex = os::Mutex::Open(header->mutex, facts.id);
  if (!mutex.ok()) {
    os::Unmap(segment);
    *why = {mutex.failure(), std::nullopt, 0};
    return nullptr;
  }
  auto* object = new SharedObject(name, segment, facts, mutex.value());
  registry.objects.emplace(key, object);
  return object;
}

// The object of that name, if it can be used. If it could not and has been removed, `*cleared` is
// set.
SharedObject* SharedObject::Find(const std::string& name, const Contents& contents,
                                 OpenFailure* why, bool* cleared) {
  const os::Result<os::Segment> found =
      WithRoom([&] { return os::Attach(name, AccessTo(contents), UsuallyShared()); });
  if (!found.ok()) {
    *why = {found.failure(), std::nullopt, 0};
    // An object without bytes cannot be mapped. It is the extreme case of a truncated object.
    if (found.failure().error == EINVAL) *why = {{0, ""}, Refusal::kTruncated, 0};
    return nullptr;
  }
  os::Segment segment = found.value();
  uint32_t word = 0;
  Header header{};
  if (const auto refusal = Inspect(segment, contents, &header, &word)) {
    // A creator may have died and left an unfinished object. This object is removed. On platforms
    // where no creator can leave one (os::kPublishesWhole), it was not made by this library, so it
    // stays.
    const bool unfinished = refusal == Refusal::kUnfinished && word == kMaking;
    const bool litter = unfinished && !os::kPublishesWhole;
    if (litter) *cleared = ClearUnfinished(name, segment);
    os::Unmap(segment);
    *why = {{0, ""}, refusal, word};
    return nullptr;
  }
  if (contents.sealed) {
    const os::Result<os::Segment> shared = os::Share(segment, header.data_at);
    if (!shared.ok()) {
      os::Unmap(segment);
      *why = {shared.failure(), std::nullopt, 0};
      return nullptr;
    }
    segment = shared.value();
  }
  SharedObject* object = Adopt(name, segment, FactsOf(header), why);
  if (!object || (word != kDead && !(word == kDoomed && object->FinishDoomed()))) return object;
  const os::Status gone = object->Clear();
  object->DropReference();
  *cleared = gone.ok() || gone.failure().error == ENOENT;
  if (!*cleared) *why = {gone.failure(), std::nullopt, 0};
  return nullptr;
}

SharedObject* SharedObject::Open(const std::string& name, unsigned mode, Disposition disposition,
                                 const Contents& contents, OpenFailure* why) {
  const bool is_new = disposition != Disposition::kAttach;
  if (!Fits(contents) ||
      (is_new && contents.sealed && !CanBeSealed(DataAt(contents), SizeOf(contents)))) {
    *why = {{EINVAL, "open"}, std::nullopt, 0};
    return nullptr;
  }
  for (int round = 0; round < kMostRounds; ++round) {
    bool cleared = false;
    if (disposition != Disposition::kCreate) {
      if (SharedObject* object = Find(name, contents, why, &cleared)) return object;
      if (cleared) continue;
      if (disposition == Disposition::kAttach || why->failure.error != ENOENT) return nullptr;
    }
    Plan plan{contents, mode, os::Random<os::ObjectId>()};
    const os::Initializer initializer{Fill, &plan, Publish};
    const os::CreateOptions options = OptionsFor(contents, mode);
    const os::Result<os::Segment> made =
        WithMemory(options.size, [&] { return os::Create(name, options, &initializer); });
    if (made.ok()) return Adopt(name, made.value(), FactsOf(plan), why);
    os::Mutex::Dispose(plan.id);
    *why = {made.failure(), std::nullopt, 0};
    if (made.failure().error != EEXIST) return nullptr;
    if (disposition == Disposition::kCreate) {
      OpenFailure ignored{};
      if (SharedObject* taken = Find(name, contents, &ignored, &cleared)) taken->DropReference();
      // Nobody has the name any more, or others have given up what was made here.
      const bool is_free = ignored.failure.error == ENOENT;
      if (!cleared && !is_free) return nullptr;
    }
  }
  return nullptr;
}

void SharedObject::AddReference() {
  const std::lock_guard<std::mutex> guard(TheRegistry().guard);
  ++references_;
}

void SharedObject::RemoveNamesHeldHere() {
  const std::lock_guard<std::mutex> guard(TheRegistry().guard);
  for (const auto& each : TheRegistry().objects) {
    SharedObject* const object = each.second;
    const bool ended = object->header_->ended.load(std::memory_order_relaxed) != 0;
    const bool doomed = object->header_->state.load(std::memory_order_relaxed) == kDoomed;
    if (ended && doomed && object->IsLockedHere()) (void)object->RemoveName(true);
  }
}

void SharedObject::DropReference() {
  (void)FinishDoomed();
  {
    Registry& registry = TheRegistry();
    const std::lock_guard<std::mutex> guard(registry.guard);
    if (--references_ > 0) return;
    registry.objects.erase(KeyOf(identity_, id_));
  }
  // Not under the registry's mutex, because unmapping takes time. If another thread opens the
  // object now, the object is mapped twice for a moment. That does no harm, because no thread holds
  // a lock in the old mapping.
  if (header_->state.load(std::memory_order_relaxed) == kDead) mapping_->NoteUnlinked();
  mutex_.Close();
  mapping_->Close();
  mapping_->Abandon();
  delete this;
}

os::WaitWord* SharedObject::WordAt(size_t offset) const {
  const bool inside = offset >= kHeaderBytes && offset <= shape_.size &&
                      shape_.size - offset >= sizeof(os::WaitWord) && offset % 8 == 0;
  return inside ? reinterpret_cast<os::WaitWord*>(mapping_->bytes() + offset) : nullptr;
}

}  // namespace shmkit
