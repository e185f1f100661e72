#include "lock_object.h"

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

// How long Unlink waits for an owner that is about to release, before it leaves the rest to it.
constexpr double kUnlinkGraceMs = 10;

// How long somebody who finds a dead object under its name waits for the owner that killed it.
constexpr double kFinisherGraceMs = 1000;

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
  std::map<Key, LockObject*> objects;
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
  unsigned mode;
  os::ObjectId id;
};

os::Status FillLock(void* memory, void* context) {
  const auto* plan = static_cast<const Plan*>(context);
  auto* header = new (memory) Header{};
  header->version = kLayoutVersion;
  header->kind = static_cast<uint16_t>(Kind::kLock);
  header->abi = os::Mutex::AbiWord();
  header->size = kLockBytes;
  memcpy(header->id, plan->id.data(), plan->id.size());
  os::Status made = os::Mutex::Initialize(header->mutex, plan->id, plan->mode);
  if (!made.ok()) return made;
  // Where the object can be seen before it is finished, it has its magic word when it has the rest.
  header->magic = kMagic;
  header->state.store(kLive, std::memory_order_release);
  return made;
}

bool IsFailureToRemove(const os::Status& unlinked) {
  return !unlinked.ok() && unlinked.failure().error != ENOENT;
}

void AwaitCreator(const Header& header) {
  const os::Deadline grace = os::Deadline::After(kCreatorGraceMs);
  while (header.state.load(std::memory_order_acquire) == kMaking && !grace.passed()) {
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
}

std::optional<Refusal> Inspect(const os::Segment& segment, uint32_t* found) {
  const auto& header = *static_cast<const Header*>(segment.address);
  *found = static_cast<uint32_t>(segment.size);
  if (segment.size < kLockBytes) return Refusal::kTruncated;
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
  if (header.kind != static_cast<uint16_t>(Kind::kLock)) return Refusal::kKind;
  *found = header.state.load(std::memory_order_acquire);
  if (*found == kMaking || *found > kDead) return Refusal::kUnfinished;
  return std::nullopt;
}

}  // namespace

LockObject* LockObject::Adopt(const std::string& name, const os::Segment& segment,
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
  auto* object = new LockObject(name, segment, mutex.value());
  registry.objects.emplace(key, object);
  return object;
}

// The object that has the name, if it is one to use. When it was not and has been cleared away,
// `*cleared`.
LockObject* LockObject::Find(const std::string& name, OpenFailure* why, bool* cleared) {
  const os::Result<os::Segment> found = os::Attach(name, os::Access::kReadWrite);
  if (!found.ok()) {
    *why = {found.failure(), std::nullopt, 0};
    // An object without bytes cannot be mapped, and is the extreme of a truncated one.
    if (found.failure().error == EINVAL) *why = {{0, ""}, Refusal::kTruncated, 0};
    return nullptr;
  }
  const os::Segment& segment = found.value();
  uint32_t word = 0;
  if (const auto refusal = Inspect(segment, &word)) {
    // What a creator left that died at work is cleared; where it cannot have, it is not ours.
    const bool unfinished = refusal == Refusal::kUnfinished && word == kMaking;
    const bool litter = unfinished && !os::kPublishesWhole;
    *cleared = litter && os::Unlink(name, &segment.identity).ok();
    os::Unmap(segment);
    *why = {{0, ""}, refusal, word};
    return nullptr;
  }
  LockObject* object = Adopt(name, segment, why);
  if (!object || word != kDead) return object;
  const os::Status gone = object->Clear();
  object->DropReference();
  *cleared = gone.ok() || gone.failure().error == ENOENT;
  if (!*cleared) *why = {gone.failure(), std::nullopt, 0};
  return nullptr;
}

LockObject* LockObject::Open(const std::string& name, unsigned mode, Disposition disposition,
                             OpenFailure* why) {
  for (int round = 0; round < kMostRounds; ++round) {
    bool cleared = false;
    if (disposition != Disposition::kCreate) {
      if (LockObject* object = Find(name, why, &cleared)) return object;
      if (cleared) continue;
      if (disposition == Disposition::kAttach || why->failure.error != ENOENT) return nullptr;
    }
    Plan plan{mode, RandomId()};
    const os::Initializer initializer{FillLock, &plan};
    const os::Result<os::Segment> made =
        os::Create(name, {kLockBytes, mode, /*sparse=*/false}, &initializer);
    if (made.ok()) return Adopt(name, made.value(), why);
    os::Mutex::Dispose(plan.id);
    *why = {made.failure(), std::nullopt, 0};
    if (made.failure().error != EEXIST) return nullptr;
    if (disposition == Disposition::kCreate) {
      OpenFailure ignored{};
      if (LockObject* taken = Find(name, &ignored, &cleared)) taken->DropReference();
      if (!cleared) return nullptr;
    }
  }
  return nullptr;
}

void LockObject::AddReference() {
  const std::lock_guard<std::mutex> guard(TheRegistry().guard);
  ++references_;
}

void LockObject::DropReference() {
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> guard(registry.guard);
  if (--references_ > 0 || pinned_) return;
  registry.objects.erase({segment_.identity.device, segment_.identity.object, id_});
  mutex_.Close();
  os::Unmap(segment_);
  delete this;
}

void LockObject::Pin() {
  const std::lock_guard<std::mutex> guard(TheRegistry().guard);
  pinned_ = true;
}

Acquired LockObject::SettleUncommon(os::Grant grant) {
  if (grant == os::Grant::kTimeout) return Acquired::kTimeout;
  const uint32_t state = header_->state.load(std::memory_order_relaxed);
  // A dead object may have lost what its mutex kept outside of it.
  if (grant == os::Grant::kBroken) return state == kDead ? Acquired::kGone : Acquired::kBroken;
  if (grant == os::Grant::kOwnerDied) header_->news.store(kOwnerDied, std::memory_order_relaxed);

  switch (state) {
    case kLive:
      break;
    case kDoomed:
      // Where the name cannot be removed the lock stays in use, and is ours.
      if (IsFailureToRemove(Finish())) break;
      [[fallthrough]];
    case kDead:
      mutex_.Unlock();
      return Acquired::kGone;
    default:
      mutex_.Unlock();
      return Acquired::kBroken;
  }
  const bool died = header_->news.exchange(kNoNews, std::memory_order_relaxed) != kNoNews;
  return died ? Acquired::kAbandoned : Acquired::kYes;
}

void LockObject::PutBack(Acquired acquired) {
  if (acquired == Acquired::kAbandoned) header_->news.store(kOwnerDied, std::memory_order_relaxed);
  Unlock();
}

bool LockObject::IsLocked() {
  bool owner_died = false;
  const bool held = mutex_.Peek(&owner_died) == os::Occupancy::kHeld;
  if (owner_died) header_->news.store(kOwnerDied, std::memory_order_relaxed);
  return held;
}

// Holding the lock (L2, L3). A kill after the first step leaves a dead object under the name, which
// the next to come there clears. What the mutex keeps outside goes last: without it, nobody could
// acquire the lock to do so. An object whose name cannot be removed (it takes permission to write
// to the directory, or to own the file) comes back to life: nobody could use that name any more.
os::Status LockObject::Finish() {
  header_->state.store(kDead, std::memory_order_release);
  const os::Status unlinked = os::Unlink(name_, &segment_.identity);
  if (IsFailureToRemove(unlinked)) {
    header_->state.store(kLive, std::memory_order_release);
  } else {
    os::Mutex::Dispose(id_);
  }
  return unlinked;
}

// A dead object that still has its name: its last owner died before it removed it, or is about to.
os::Status LockObject::Clear() {
  const os::Grant grant = mutex_.LockUntil(os::Deadline::After(kFinisherGraceMs));
  if (grant == os::Grant::kTimeout) return os::Failure{EBUSY, "unlink"};
  if (grant == os::Grant::kBroken) return os::Unlink(name_, &segment_.identity);
  // Dead no more when somebody who could not remove the name has given it back its life, as Finish
  // does.
  if (header_->state.load(std::memory_order_relaxed) == kDead) (void)Finish();
  mutex_.Unlock();
  return os::Nothing{};
}

os::Status LockObject::Unlink(bool held_by_this_thread) {
  if (!os::kNamesOutliveHandles) return os::Unlink(name_);
  uint32_t state = kLive;
  header_->state.compare_exchange_strong(state, kDoomed);
  if (state == kDead) return os::Failure{ENOENT, "unlink"};
  // Not before the owner is done: the name must not lead to a free lock until then.
  if (held_by_this_thread) return os::Nothing{};

  const os::Grant grant = mutex_.LockUntil(os::Deadline::After(kUnlinkGraceMs));
  if (grant == os::Grant::kTimeout) return os::Nothing{};
  // A lock that nobody can ever acquire guards nothing: only its name is left to go.
  if (grant == os::Grant::kBroken) return os::Unlink(name_, &segment_.identity);
  // Its owner may have finished on the way out.
  const bool dead = header_->state.load(std::memory_order_relaxed) == kDead;
  const os::Status finished = dead ? os::Status(os::Nothing{}) : Finish();
  mutex_.Unlock();
  return finished;
}

}  // namespace shmkit
