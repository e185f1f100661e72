// The bytes at the start of every shmkit object in shared memory. They are followed by the words
// with which processes wait for each other, and then by the object's own data.
// lib/shm/core/layout.ts has the same layout; a test compares it with this file through the addon.
// docs/memory-layout.md describes it for people.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "../os/mutex.h"

namespace shmkit {

constexpr uint32_t kMagic = 0x4b4d4853;  // "SHMK" in memory
constexpr uint16_t kLayoutVersion = 2;

// States of an object, in this order:
//
//   kMaking  the creator has not finished. Other processes can see this state only where an object
//            gets its name before it is finished (os::kPublishesWhole is false).
//   kLive    in use.
//   kDoomed  must be unlinked by the lock's present owner when it releases, or by the next owner.
//   kDead    unlinked: a thread that acquires the lock and finds this state gives the lock back and
//            opens the name again. Written only by the lock's owner (L2 in shared_object.h), or in
//            place of kMaking by a thread that has waited too long for the creator. That thread
//            then removes the name, and the creator must begin again.
enum State : uint32_t { kMaking = 0, kLive = 1, kDoomed = 2, kDead = 3 };

// Whether an owner died and its successor has not been told yet.
enum News : uint32_t { kNoNews = 0, kOwnerDied = 1 };

struct Header {
  uint32_t magic;
  uint16_t version;
  uint16_t kind;     // defined by lib/shm/core/layout.ts; here it is only compared
  uint32_t abi;      // os::Mutex::AbiWord() of the creator
  uint32_t data_at;  // where the object's own data begin
  uint8_t id[16];
  uint64_t size;  // of the whole object, in bytes
  uint32_t type;  // the kind defines it, for example as the type of the elements
  uint32_t unused;
  uint64_t length;  // the kind defines it, for example as the number of elements
  uint8_t reserved[8];
  // The fields that every acquisition reads share one cache line.
  std::atomic<uint32_t> state;
  std::atomic<uint32_t> news;
  alignas(8) uint8_t mutex[os::kMutexBytes];
  // Not 0: the manager to which the object belongs has ended, and the object cannot be used any
  // more (L6 in shared_object.h). This field is not in the cache line that every acquisition writes
  // to, because some operations read it each time.
  std::atomic<uint32_t> ended;
};

constexpr size_t kHeaderBytes = 256;
constexpr size_t kDataAlignment = 64;  // a cache line, and more than any element needs

static_assert(offsetof(Header, magic) == 0);
static_assert(offsetof(Header, version) == 4);
static_assert(offsetof(Header, kind) == 6);
static_assert(offsetof(Header, abi) == 8);
static_assert(offsetof(Header, data_at) == 12);
static_assert(offsetof(Header, id) == 16);
static_assert(offsetof(Header, size) == 32);
static_assert(offsetof(Header, type) == 40);
static_assert(offsetof(Header, length) == 48);
static_assert(offsetof(Header, state) == 64);
static_assert(offsetof(Header, news) == 68);
static_assert(offsetof(Header, mutex) == 72);
static_assert(offsetof(Header, ended) == 136);
static_assert(sizeof(Header) <= kHeaderBytes);

}  // namespace shmkit
