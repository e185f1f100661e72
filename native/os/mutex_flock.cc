// A lock file under flock(2), together with an owner word in the shared storage.
//
// This is for systems without robust mutexes (macOS). It also builds and runs on Linux, so that it
// is tested. The important property of flock is that the kernel releases it with its descriptor,
// however the owner ends. Each acquisition opens a file description of its own, so that threads
// exclude each other. The thread that holds it owns the descriptor, so that the end of the thread
// releases it. The owner word tells the next owner that the last one ended without unlocking.
//
// States of the owner word, which only the holder of the flock changes:
//   kFree   the mutex has no owner, or its owner has just taken the flock and not yet set the word
//   kOwned  the mutex has an owner; a thread that gets the flock and sees this state knows that
//           this owner died
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <map>
#include <new>
#include <string>

#include "abi.h"
#include "flock.h"
#include "mutex.h"
#include "waiter.h"

namespace shmkit::os {

namespace {

constexpr uint32_t kMark = 0x6b636c66;  // "flck"
constexpr uint32_t kFree = 0;
constexpr uint32_t kOwned = 1;

// flock has no timed form. A timed wait sleeps on the release count. It checks again this often,
// because an owner that dies does not change the count.
constexpr double kDeathWatchMs = 5;

struct Storage {
  std::atomic<uint32_t> mark;
  std::atomic<uint32_t> owner;
  WaitWord releases;
  // The number of waiters. Killed waiters are still counted; then M8 is kept more strictly than
  // needed.
  std::atomic<uint32_t> waiting;
};
static_assert(sizeof(Storage) <= kMutexBytes, "the storage holds a mutex");

Storage* Of(void* storage) { return static_cast<Storage*>(storage); }

std::string PathOf(const ObjectId& id) {
  static const char kDigits[] = "0123456789abcdef";
  std::string path = "/tmp/shmkit-";
  for (const uint8_t byte : id) {
    path += kDigits[byte >> 4];
    path += kDigits[byte & 15];
  }
  return path + ".lock";
}

// The descriptors with which this thread holds mutexes, by their storage.
class Holdings {
 public:
  ~Holdings() {
    for (const auto& held : descriptors_) close(held.second);
  }
  void Add(const void* storage, int fd) { descriptors_[storage] = fd; }
  void Release(const void* storage) {
    const auto held = descriptors_.find(storage);
    if (held == descriptors_.end()) return;
    // Closing is not enough: a process that is just being forked may have the descriptor, too.
    flock(held->second, LOCK_UN);
    close(held->second);
    descriptors_.erase(held);
  }

 private:
  std::map<const void*, int> descriptors_;
};

// The holdings of this thread, created when first needed. Not thread_local: that is destroyed when
// the process begins to end, while its last thread may still have something to give back. In that
// case the system closes the descriptors.
Holdings& TheHoldings() {
  static const pthread_key_t key = [] {
    pthread_key_t made;
    pthread_key_create(&made, [](void* holdings) { delete static_cast<Holdings*>(holdings); });
    return made;
  }();
  auto* holdings = static_cast<Holdings*>(pthread_getspecific(key));
  if (!holdings) {
    holdings = new Holdings;
    pthread_setspecific(key, holdings);
  }
  return *holdings;
}

class WaitingScope {
 public:
  explicit WaitingScope(Storage* storage) : waiting_(storage->waiting) { waiting_.fetch_add(1); }
  ~WaitingScope() { waiting_.fetch_sub(1); }
  WaitingScope(const WaitingScope&) = delete;
  WaitingScope& operator=(const WaitingScope&) = delete;

 private:
  std::atomic<uint32_t>& waiting_;
};

int OpenFile(const ObjectId& id) { return open(PathOf(id).c_str(), O_RDWR | O_CLOEXEC); }

// The caller has the flock through `fd`.
Grant Settle(Storage* storage, int fd) {
  TheHoldings().Add(storage, fd);
  return storage->owner.exchange(kOwned) == kOwned ? Grant::kOwnerDied : Grant::kAcquired;
}

// Without its file, the mutex does not exist any more. Every other failure to open the file, such
// as a lack of descriptors, is temporary: the mutex counts as busy until then.
Grant Take(Storage* storage, const ObjectId& id, int operation) {
  const int fd = OpenFile(id);
  if (fd < 0) return errno == ENOENT ? Grant::kBroken : Grant::kTimeout;
  if (Flock(fd, operation) == 0) return Settle(storage, fd);
  const bool busy = errno == EWOULDBLOCK;
  close(fd);
  return busy ? Grant::kTimeout : Grant::kBroken;
}

}  // namespace

Status Mutex::Initialize(void* storage, const ObjectId& id, unsigned mode) {
  const int flags = O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC;
  const int fd = open(PathOf(id).c_str(), flags, static_cast<mode_t>(mode));
  if (fd < 0) return Failure{errno, "open"};
  // Users who may use the object may use its lock, whatever the umask.
  (void)fchmod(fd, static_cast<mode_t>(mode));
  close(fd);
  new (storage) Storage{{kMark}, {kFree}, {}, {0}};
  return Nothing{};
}

void Mutex::Dispose(const ObjectId& id) { unlink(PathOf(id).c_str()); }

uint32_t Mutex::AbiWord() {
  // The storage consists of plain words, so every C library and word size may share it.
  return ComposeAbiWord(Mechanism::kFlock, Library::kOther, sizeof(Storage));
}

Result<Mutex> Mutex::Open(void* storage, const ObjectId& id) {
  return Mutex(storage, id, {&Of(storage)->mark, kMark}, nullptr, Turns::Sign::kMayLinger);
}

const bool Mutex::kGrantedTwice = false;

void Mutex::Close() {}

void Mutex::GiveWay() {
  const Storage* storage = Of(storage_);
  turns_.GiveWay([storage](uint32_t release) {
    return storage->owner.load(std::memory_order_relaxed) == kOwned ||
           storage->releases.value.load(std::memory_order_relaxed) != release;
  });
}

Grant Mutex::Lock() {
  const Grant at_once = TryLock();
  if (at_once != Grant::kTimeout) return at_once;
  WaitWord& releases = Of(storage_)->releases;
  const WaitingScope waiting(Of(storage_));
  for (;;) {
    const uint32_t seen = releases.value.load();
    const Grant grant = Intact() ? Take(Of(storage_), id_, LOCK_EX) : Grant::kBroken;
    if (grant != Grant::kTimeout) return grant;
    Wait(releases, seen, Deadline::After(kDeathWatchMs));
  }
}

Grant Mutex::TryLock() {
  if (turns_.due()) GiveWay();
  return Intact() ? Take(Of(storage_), id_, LOCK_EX | LOCK_NB) : Grant::kBroken;
}

Grant Mutex::LockUntil(const Deadline& deadline) {
  if (deadline.never()) return Lock();
  const Grant at_once = TryLock();
  if (at_once != Grant::kTimeout || deadline.passed()) return at_once;
  WaitWord& releases = Of(storage_)->releases;
  const WaitingScope waiting(Of(storage_));
  for (;;) {
    const uint32_t seen = releases.value.load();
    const Grant grant = TryLock();
    if (grant != Grant::kTimeout || deadline.passed()) return grant;
    Wait(releases, seen, deadline.Within(kDeathWatchMs));
  }
}

void Mutex::Unlock() {
  Storage* storage = Of(storage_);
  const bool is_awaited = storage->waiting.load(std::memory_order_relaxed) != 0;
  const uint32_t release = storage->releases.value.load() + 1;
  storage->owner.store(kFree);
  TheHoldings().Release(storage);
  storage->releases.value.fetch_add(1);
  if (is_awaited) turns_.NoteWaiters(release);
  Wake(storage->releases, 1);
}

Occupancy Mutex::Peek(bool*) {
  Storage* storage = Of(storage_);
  if (storage->owner.load() == kFree) return Occupancy::kFree;
  // A shared flock is refused while the owner lives. If it is granted, the owner died, and the
  // owner word stays, so that the next owner is told. A TryLock of another thread at this very
  // moment finds the mutex busy.
  const int fd = OpenFile(id_);
  if (fd < 0) return errno == ENOENT ? Occupancy::kFree : Occupancy::kHeld;
  const bool held = Flock(fd, LOCK_SH | LOCK_NB) != 0;
  close(fd);
  return held ? Occupancy::kHeld : Occupancy::kFree;
}

bool Mutex::IsHeldHere() const { return false; }

bool Mutex::IsHeldBy(uint32_t) const { return false; }

uint32_t Mutex::CurrentThreadId() { return 0; }

}  // namespace shmkit::os
