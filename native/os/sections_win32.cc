#include "sections_win32.h"

#include <cstdio>
#include <map>
#include <mutex>
#include <string>

#include "win32.h"

namespace shmkit::os {

namespace {

// The maximum count of a semaphore: the largest number of threads that could ever wait for one
// word. A permit more than that would have no waiter.
constexpr LONG kMostPermits = 4096;

struct Section {
  size_t size;
  uint64_t identity;
  std::map<size_t, HANDLE> semaphores;  // by the word's offset
};

// Never destroyed, because threads may outlive the statics at the end of a process.
std::mutex& Guard() {
  static auto* guard = new std::mutex;
  return *guard;
}
std::map<const char*, Section>& Sections() {
  static auto* sections = new std::map<const char*, Section>;
  return *sections;
}

HANDLE OpenSemaphoreFor(uint64_t identity, size_t offset) {
  char name[64];
  snprintf(name, sizeof name, "shmkit.wait.%016llx.%llx", static_cast<unsigned long long>(identity),
           static_cast<unsigned long long>(offset));
  return CreateSemaphoreW(nullptr, 0, kMostPermits, LocalName(name).c_str());
}

}  // namespace

void RememberSection(void* base, size_t size, uint64_t identity) {
  const std::lock_guard<std::mutex> guard(Guard());
  Sections()[static_cast<const char*>(base)] = Section{size, identity, {}};
}

void ForgetSection(void* base) {
  const std::lock_guard<std::mutex> guard(Guard());
  const auto found = Sections().find(static_cast<const char*>(base));
  if (found == Sections().end()) return;
  for (const auto& semaphore : found->second.semaphores) CloseHandle(semaphore.second);
  Sections().erase(found);
}

HANDLE SemaphoreOf(const void* address) {
  const auto* place = static_cast<const char*>(address);
  const std::lock_guard<std::mutex> guard(Guard());
  auto after = Sections().upper_bound(place);
  if (after == Sections().begin()) return nullptr;
  auto& [base, section] = *--after;
  const auto offset = static_cast<size_t>(place - base);
  if (offset >= section.size) return nullptr;
  HANDLE& semaphore = section.semaphores[offset];
  if (!semaphore) semaphore = OpenSemaphoreFor(section.identity, offset);
  return semaphore;
}

}  // namespace shmkit::os
