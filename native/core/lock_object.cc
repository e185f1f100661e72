#include "lock_object.h"

#include <chrono>
#include <cstring>
#include <functional>
#include <mutex>
#include <new>
#include <random>
#include <thread>
#include <unordered_map>

namespace shmkit {

namespace {

// How long Unlink waits for an owner that is about to release, before it leaves the rest to it.
constexpr double kUnlinkGraceMs = 10;

// How long an attacher waits for a creator to finish, where it can be seen at work at all.
constexpr double kCreatorGraceMs = 1000;

// Attach and create chase each other only while others make progress; this many rounds lost in a
// row mean that something else is wrong.
constexpr int kMostRounds = 10000;

struct IdentityHash {
  size_t operator()(const os::Identity& identity) const {
    return std::hash<uint64_t>()(identity.device * 31 + identity.object);
  }
};

struct Registry {
  std::mutex guard;
  std::unordered_map<os::Identity, LockObject*, IdentityHash> objects;
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

struct Plan {
  unsigned mode;
  os::ObjectId id;
};

os::Status FillLock(void* memory, void* context) {
  const auto* plan = static_cast<const Plan*>(context);
  auto* header = new (memory) Header{};
  header->magic = kMagic;
  header->version = kLayoutVersion;
  header->kind = static_cast<uint16_t>(Kind::kLock);
  header->abi = os::Mutex::AbiWord();
  header->size = kLockBytes;
  memcpy(header->id, plan->id.data(), plan->id.size());
  os::Status made = os::Mutex::Initialize(header->mutex, plan->id, plan->mode);
  if (made.ok()) header->state.store(kLive, std::memory_order_release);
  return made;
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
  if (header.magic == 0) AwaitCreator(header);
  *found = header.magic;
  if (header.magic == 0) return Refusal::kUnfinished;
  if (header.magic != kMagic) return Refusal::kForeign;
  *found = header.version;
  if (header.version != kLayoutVersion) return Refusal::kVersion;
  *found = header.abi;
  if (header.abi != os::Mutex::AbiWord()) return Refusal::kAbi;
  *found = header.kind;
  if (header.kind != static_cast<uint16_t>(Kind::kLock)) return Refusal::kKind;
  AwaitCreator(header);
  *found = header.state.load(std::memory_order_acquire);
  if (*found == kMaking || *found > kDead) return Refusal::kUnfinished;
  return std::nullopt;
}

}  // namespace

LockObject* LockObject::Adopt(const std::string& name, const os::Segment& segment,
                              OpenFailure* why) {
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> guard(registry.guard);
  const auto known = registry.objects.find(segment.identity);
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
  registry.objects.emplace(segment.identity, object);
  return object;
}

LockObject* LockObject::Open(const std::string& name, unsigned mode, Disposition disposition,
                             OpenFailure* why) {
  for (int round = 0; round < kMostRounds; ++round) {
    if (disposition != Disposition::kCreate) {
      const os::Result<os::Segment> found = os::Attach(name, os::Access::kReadWrite);
      if (found.ok()) {
        const os::Segment& segment = found.value();
        uint32_t word = 0;
        if (const auto refusal = Inspect(segment, &word)) {
          // What a creator left that died at work is cleared; where it cannot have, it is not ours.
          const bool litter = refusal == Refusal::kUnfinished && !os::kPublishesWhole;
          const bool cleared = litter && os::Unlink(name, &segment.identity).ok();
          os::Unmap(segment);
          if (cleared) continue;
          *why = {{0, ""}, refusal, word};
          return nullptr;
        }
        if (word == kDead) {
          // Its unlinker died, or is about to remove the name: help, and look again.
          (void)os::Unlink(name, &segment.identity);
          os::Unmap(segment);
          continue;
        }
        return Adopt(name, segment, why);
      }
      *why = {found.failure(), std::nullopt, 0};
      if (disposition == Disposition::kAttach || found.failure().error != ENOENT) return nullptr;
    }
    Plan plan{mode, RandomId()};
    const os::Initializer initializer{FillLock, &plan};
    const os::Result<os::Segment> made =
        os::Create(name, {kLockBytes, mode, /*sparse=*/false}, &initializer);
    if (made.ok()) return Adopt(name, made.value(), why);
    os::Mutex::Dispose(plan.id);
    *why = {made.failure(), std::nullopt, 0};
    if (disposition == Disposition::kCreate || made.failure().error != EEXIST) return nullptr;
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
  registry.objects.erase(segment_.identity);
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
  if (grant == os::Grant::kBroken) return Acquired::kBroken;
  if (grant == os::Grant::kOwnerDied) header_->news.store(kOwnerDied, std::memory_order_relaxed);

  switch (header_->state.load(std::memory_order_relaxed)) {
    case kLive:
      break;
    case kDoomed:
      (void)Finish();
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

// Holding the lock (L2). A kill between the two steps leaves a dead object under the name, which
// the next to attach removes.
os::Status LockObject::Finish() {
  header_->state.store(kDead, std::memory_order_release);
  os::Mutex::Dispose(IdOf(*header_));
  return os::Unlink(name_, &segment_.identity);
}

os::Status LockObject::Unlink(bool held_by_this_thread) {
  if (!os::kNamesOutliveHandles) return os::Unlink(name_);
  uint32_t live = kLive;
  header_->state.compare_exchange_strong(live, kDoomed);
  // Not before the owner is done: the name must not lead to a free lock until then.
  if (held_by_this_thread) return os::Nothing{};

  const os::Grant grant = mutex_.LockUntil(os::Deadline::After(kUnlinkGraceMs));
  if (grant == os::Grant::kTimeout) return os::Nothing{};
  // A lock that nobody can ever acquire guards nothing: only its name is left to go.
  if (grant == os::Grant::kBroken) return os::Unlink(name_, &segment_.identity);
  const os::Status finished = header_->state.load(std::memory_order_relaxed) == kDead
                                  ? os::Status(os::Failure{ENOENT, "unlink"})
                                  : Finish();
  mutex_.Unlock();
  return finished;
}

}  // namespace shmkit
