#include "manager_end.h"

#include <cstring>

namespace shmkit {

namespace {

// How long the end of a manager waits for the manager's lock. What other threads do while they hold
// it takes well under a millisecond.
constexpr double kLockGraceMs = 1000;

bool IsHeld(Acquired acquired) {
  return acquired == Acquired::kYes || acquired == Acquired::kAbandoned;
}

// A word of the object, or null if there is none at that offset.
std::atomic<uint32_t>* At(const SharedObject& object, size_t offset) {
  const size_t end = object.shape().data_at;
  const bool inside =
      offset >= kHeaderBytes && offset <= end && end - offset >= 4 && offset % 4 == 0;
  return inside ? reinterpret_cast<std::atomic<uint32_t>*>(object.mapping()->bytes() + offset)
                : nullptr;
}

// The token of an entry that is in use. If the entry makes no sense, 0, which is no thread's token.
uint64_t TokenOf(uint64_t low, uint64_t high, uint64_t half) {
  const bool is_token = low > 0 && low <= half && high > 0 && high <= half;
  return is_token ? (high - 1) * half + low - 1 : 0;
}

// Frees the entries of the threads that leave, and returns whether there are others. The caller
// holds the lock.
[[gnu::cold]] bool LeaveRoster(const SharedObject& object, const ManagerFacts& facts,
                               Leaving& leaving) {
  const std::atomic<uint32_t>* const used = At(object, facts.used_at);
  const uint32_t entries = used ? used->load() : 0;
  size_t entry = facts.roster_at;
  bool in_use = false;
  for (uint32_t i = 0; i < entries; ++i, entry += facts.entry_bytes) {
    std::atomic<uint32_t>* const low = At(object, entry);
    const std::atomic<uint32_t>* const high = At(object, entry + 4);
    if (!low || !high) break;
    const uint32_t value = low->load();
    if (value == 0) continue;
    const uint64_t token = TokenOf(value, high->load(), facts.token_half);
    if (token != 0 && !leaving.IsGone(token)) {
      in_use = true;
    } else {
      low->store(0);
    }
  }
  return in_use;
}

SharedObject* Attach(const std::string& name, uint16_t kind, OpenFailure* why) {
  Contents contents{};
  contents.kind = kind;
  contents.first_bytes = 1;
  return SharedObject::Open(name, 0, Disposition::kAttach, contents, why);
}

[[gnu::cold]] void EndObject(const std::string& name, ManagedAs as, Leaving& leaving) {
  if (as == ManagedAs::kMemory) {
    (void)os::Unlink(name);
    return;
  }
  OpenFailure why{};
  SharedObject* const object = Attach(name, kAnyKind, &why);
  if (!object) {
    // An object of another version may belong to another program.
    const bool is_foreign = why.refusal == Refusal::kVersion || why.refusal == Refusal::kAbi;
    if (why.refusal && !is_foreign) (void)os::Unlink(name);
    return;
  }
  const bool held = leaving.Holds(object);
  (void)object->End(as == ManagedAs::kLock, held);
  if (as == ManagedAs::kLock && held) leaving.GiveUp(object);
  object->DropReference();
}

// Returns a pointer to the digit in `heads` of the kind that the name belongs to. Null if the name
// does not belong to the manager.
const char* KindOf(const std::string& name, const ManagerFacts& facts) {
  const char* const end = facts.heads.data() + facts.heads.size();
  for (const char* kind = facts.heads.data(); kind < end; kind += strlen(kind) + 1) {
    if (name.compare(0, strlen(kind + 1), kind + 1) == 0) return kind;
  }
  return nullptr;
}

// Ends all objects of the manager. Returns false if the system does not list their names.
[[gnu::cold]] bool EndAllOf(const ManagerFacts& facts, Leaving& leaving) {
  const auto names = os::List();
  if (!names.ok()) return false;
  for (const os::Listing& each : names.value()) {
    const char* const kind = KindOf(each.name, facts);
    if (kind) EndObject(each.name, static_cast<ManagedAs>(*kind - '0'), leaving);
  }
  return true;
}

[[gnu::cold]] void EndOpened(SharedObject* object, const ManagerFacts& facts, Leaving& leaving) {
  os::WaitWord* const end = object->WordAt(facts.end_at);
  if (!end) return;
  const Acquired acquired = object->LockUntil(os::Deadline::After(kLockGraceMs));
  const bool locked = IsHeld(acquired);
  // A manager of peers ends only if nobody else takes part (E3). Without the lock this is not
  // certain, because another thread may be about to take part.
  if (facts.of_peers && (!locked || LeaveRoster(*object, facts, leaving))) {
    if (locked) object->PutBack(acquired);
    return;
  }
  const auto done = static_cast<uint32_t>(ManagerEnd::kDone);
  bool all = end->value.load() == done;
  if (!all) {
    end->value.store(static_cast<uint32_t>(ManagerEnd::kBegun));
    os::Wake(*end, os::kWakeAll);
    all = EndAllOf(facts, leaving) && locked;
    if (all) end->value.store(done);
  }
  if (all) (void)object->RemoveName(/*held_by_this_thread=*/locked);
  if (locked) object->PutBack(acquired);
}

}  // namespace

void EndManager(const ManagerFacts& facts, Leaving& leaving) {
  OpenFailure ignored{};
  SharedObject* const object = Attach(facts.name, facts.kind, &ignored);
  if (!object) return;
  if (object->id() == facts.id) EndOpened(object, facts, leaving);
  object->DropReference();
}

}  // namespace shmkit
