// Segments on Windows: sections backed by the paging file. They are named in the session's own
// namespace ("Local\\", because "Global\\" needs a privilege), through the entries of their names
// (names_win32.h). A section disappears with its last handle, so the handle is kept as long as the
// mapping. Semantics: CreateFileMappingW, OpenFileMappingW and MapViewOfFile in Microsoft's
// documentation.
#include <windows.h>
// After windows.h, which it needs.
#include <psapi.h>

#include <array>

#include "names_win32.h"
#include "replacement_win32.h"
#include "sections_win32.h"
#include "segment.h"
#include "win32.h"

namespace shmkit::os {

namespace {

// What keeps a mapped segment alive: its section, and the entry of its name (N2).
struct Holding {
  HANDLE section;
  HANDLE entry;
  // Of a sealed segment (S9): the view of the part that is not shared.
  void* rest = nullptr;
};

// On all processors that Windows runs on.
constexpr size_t kPageBytes = 4096;

// Finding a free range and mapping something there are two steps. So often another thread may take
// the range in between.
constexpr int kMostRanges = 1000;

// A bearer of a name is the same object as long as a process holds it, and this process does. So
// within a process, name and bearer together identify the object.
Identity IdentityOf(const std::string& name, Bearer bearer) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return Identity{bearer, hash};
}

// The same as one number, which is equal in all processes.
uint64_t NumberOf(const Identity& identity) {
  return identity.object ^ (identity.device * 0x9e3779b97f4a7c15u);
}

// The size of the first part of a view that is in one of these states.
size_t SizeOfView(const void* address, DWORD states) {
  const auto* at = static_cast<const char*>(address);
  MEMORY_BASIC_INFORMATION part;
  size_t size = 0;
  while (VirtualQuery(at + size, &part, sizeof part) != 0 && part.AllocationBase == address &&
         (part.State & states) != 0) {
    size += part.RegionSize;
  }
  return size;
}

// Whether a recorded size can be the size of a view, which consists of whole pages.
bool IsSizeOf(uint64_t size, size_t view_bytes) {
  SYSTEM_INFO system;
  GetSystemInfo(&system);
  return size <= view_bytes && view_bytes - size < system.dwPageSize && size > 0;
}

void Release(const Segment& segment) {
  auto* holding = static_cast<Holding*>(segment.keep_alive);
  CloseHandle(holding->section);
  if (holding->entry) CloseHandle(holding->entry);
  delete holding;
}

// Takes ownership of the section's handle.
Result<Segment> MapSection(HANDLE section, const Identity& identity, uint64_t size, Access access) {
  // FILE_MAP_COPY: the reader sees live bytes, its own writes go to private page copies (S7).
  const bool is_private = access == Access::kReadOnly || access == Access::kSealed;
  const DWORD wanted = is_private ? FILE_MAP_COPY : FILE_MAP_WRITE;
  void* address = MapViewOfFile(section, wanted, 0, 0, 0);
  if (!address) {
    const Failure failure = LastFailure("MapViewOfFile");
    CloseHandle(section);
    return failure;
  }
  const size_t view_bytes = SizeOfView(address, MEM_COMMIT | MEM_RESERVE);
  RememberSection(address, view_bytes, NumberOf(identity));
  const size_t bytes = IsSizeOf(size, view_bytes) ? static_cast<size_t>(size) : view_bytes;
  return Segment{address, bytes, identity, new Holding{section, nullptr}};
}

// Makes the segment keep the entry of its name (N2). If that fails, unmaps the segment: without the
// entry, it could not be distinguished from another segment of the same name.
Status KeepEntry(const Segment& segment, const NameEntry& entry) {
  const Result<HANDLE> kept = entry.Keep();
  if (kept.ok()) {
    static_cast<Holding*>(segment.keep_alive)->entry = kept.value();
    return Nothing{};
  }
  Unmap(segment);
  return kept.failure();
}

void UnmapViews(const Segment& segment) {
  UnmapViewOfFile(segment.address);
  void* const rest = static_cast<Holding*>(segment.keep_alive)->rest;
  if (rest) UnmapViewOfFile(rest);
}

// Maps the beginning of a section to be shared, and the rest, which is private, right behind it.
// Returns the addresses of both. They are null if another thread took the range.
struct TwoViews {
  void* first;
  void* rest;
};
TwoViews MapSideBySide(HANDLE section, size_t first_bytes, size_t all_bytes) {
  void* const range = VirtualAlloc(nullptr, all_bytes, MEM_RESERVE, PAGE_NOACCESS);
  if (!range) return {};
  VirtualFree(range, 0, MEM_RELEASE);
  const auto offset = static_cast<uint64_t>(first_bytes);
  void* const first = MapViewOfFileEx(section, FILE_MAP_WRITE, 0, 0, first_bytes, range);
  void* const rest = MapViewOfFileEx(section, FILE_MAP_COPY, static_cast<DWORD>(offset >> 32),
                                     static_cast<DWORD>(offset), all_bytes - first_bytes,
                                     static_cast<char*>(range) + first_bytes);
  if (first && rest) return {first, rest};
  const DWORD error = GetLastError();
  if (first) UnmapViewOfFile(first);
  if (rest) UnmapViewOfFile(rest);
  SetLastError(error);
  return {};
}

// Gives a new segment the content that it has when others first see it.
Status Furnish(const Segment& segment, const CreateOptions& options,
               const Initializer* initializer) {
  if (options.first_bytes > 0) {
    Status there = Commit(segment, 0, options.first_bytes);
    if (!there.ok()) return there;
  }
  CopyPieces(options, segment.address);
  return initializer ? initializer->fill(segment.address, initializer->context) : Status(Nothing{});
}

}  // namespace

const bool kNamesOutliveHandles = false;
const bool kPublishesWhole = true;
const size_t kNameLimitBytes = 220;
const char* const kPlace = nullptr;

Result<Segment> Create(const std::string& name, const CreateOptions& options,
                       const Initializer* initializer) {
  Result<NameEntry> entered = NameEntry::Enter(name);
  if (!entered.ok()) return entered.failure();
  NameEntry& entry = entered.value();
  // The whole section is committed, sparse or not: a reserved page faults until it is committed,
  // and the code here does not see a first access. Windows charges a commitment, but fills no page
  // before it is used. A segment that grows is only reserved (S8). A process that commits a page
  // commits it for all views.
  const Result<HANDLE> section =
      entry.Make(options.size, options.first_bytes > 0 ? SEC_RESERVE : SEC_COMMIT);
  if (!section.ok()) return section.failure();
  Result<Segment> mapped =
      MapSection(section.value(), IdentityOf(name, entry.made()), options.size, Access::kReadWrite);
  if (!mapped.ok()) return mapped;
  const Status ready = Furnish(mapped.value(), options, initializer);
  if (!ready.ok()) {
    Unmap(mapped.value());
    return ready.failure();
  }
  if (options.shared_bytes > 0) {
    Result<Segment> sealed = Share(mapped.value(), options.shared_bytes);
    if (!sealed.ok()) {
      Unmap(mapped.value());
      return sealed;
    }
    mapped = sealed;
  }
  const Status kept = KeepEntry(mapped.value(), entry);
  if (!kept.ok()) return kept.failure();
  entry.Publish(options.size);
  return mapped;
}

Result<Segment> Attach(const std::string& name, Access access, size_t) {
  Result<NameEntry> entered = NameEntry::Enter(name);
  if (!entered.ok()) return entered.failure();
  NameEntry& entry = entered.value();
  const DWORD wanted = access == Access::kReadOnly ? FILE_MAP_COPY : FILE_MAP_ALL_ACCESS;
  const Result<HANDLE> section = entry.Open(wanted);
  if (!section.ok()) return section.failure();
  Result<Segment> mapped =
      MapSection(section.value(), IdentityOf(name, entry.live()), entry.size(), access);
  if (!mapped.ok()) return mapped;
  const Status kept = KeepEntry(mapped.value(), entry);
  if (!kept.ok()) return kept.failure();
  return mapped;
}

Status Commit(const Segment& segment, size_t offset, size_t bytes) {
  void* from = static_cast<char*>(segment.address) + offset;
  if (!VirtualAlloc(from, bytes, MEM_COMMIT, PAGE_READWRITE)) return LastFailure("VirtualAlloc");
  return Nothing{};
}

Status Unlink(const std::string& name, const Identity* only_if) {
  Result<NameEntry> entered = NameEntry::Enter(name);
  if (!entered.ok()) return entered.failure();
  return entered.value().Remove(only_if ? only_if->device : 0);
}

Result<Segment> Share(const Segment& segment, size_t bytes) {
  auto* const holding = static_cast<Holding*>(segment.keep_alive);
  const size_t view_bytes = SizeOfView(segment.address, MEM_COMMIT | MEM_RESERVE);
  TwoViews views{};
  for (int tries = 0; !views.first; ++tries) {
    if (tries == kMostRanges) return LastFailure("MapViewOfFileEx");
    views = MapSideBySide(holding->section, bytes, view_bytes);
  }
  ForgetSection(segment.address);
  UnmapViewOfFile(segment.address);
  RememberSection(views.first, view_bytes, NumberOf(segment.identity));
  holding->rest = views.rest;
  Segment shared = segment;
  shared.address = views.first;
  return shared;
}

size_t MapUnit() {
  SYSTEM_INFO system;
  GetSystemInfo(&system);
  return system.dwAllocationGranularity;
}

Result<Draft> BeginDraft(size_t, const std::string&) { return Failure{ENOTSUP, "open"}; }

Result<Segment> MapDraft(const Draft&) { return Failure{ENOTSUP, "open"}; }

void DiscardDraft(const Draft&) {}

// The system gives a page that was written another protection. Wine does not, but says that such a
// page is not shared.
bool IsUnwritten(const Segment& segment, size_t offset, size_t bytes) {
  char* const from = static_cast<char*>(segment.address) + offset;
  char* const end = from + bytes;
  for (const char* at = from; at < end;) {
    MEMORY_BASIC_INFORMATION found;
    if (VirtualQuery(at, &found, sizeof found) == 0 || found.Protect != PAGE_WRITECOPY) {
      return false;
    }
    at = static_cast<const char*>(found.BaseAddress) + found.RegionSize;
  }
  std::array<PSAPI_WORKING_SET_EX_INFORMATION, 256> pages;
  const size_t into_page = reinterpret_cast<size_t>(from) % kPageBytes;
  for (char* at = from - into_page; at < end;) {
    DWORD count = 0;
    for (; count < pages.size() && at < end; at += kPageBytes) pages[count++].VirtualAddress = at;
    if (!K32QueryWorkingSetEx(GetCurrentProcess(), pages.data(), count * sizeof pages[0])) {
      return false;
    }
    for (DWORD i = 0; i < count; ++i) {
      const auto& found = pages[i].VirtualAttributes;
      if (found.Valid && !found.Shared) return false;
    }
  }
  return true;
}

// Memory is charged when it is requested: the system refuses too much.
uint64_t MemoryLimit() { return UINT64_MAX; }

Result<std::vector<Listing>> List() { return Failure{ENOTSUP, "OpenFileMappingW"}; }

void Unmap(const Segment& segment) {
  ForgetSection(segment.address);
  UnmapViews(segment);
  Release(segment);
}

bool Overlay(const Segment& segment) {
  ForgetSection(segment.address);
  // For a segment that grows, pointers exist only to its committed beginning.
  const bool is_sealed = static_cast<Holding*>(segment.keep_alive)->rest != nullptr;
  const size_t committed = is_sealed ? segment.size : SizeOfView(segment.address, MEM_COMMIT);
  bool is_kept;
  {
    const Replacement replacement;
    UnmapViews(segment);
    // Refused if an allocation of another thread has taken a part of the range in the meantime.
    is_kept = VirtualAlloc(segment.address, segment.size, MEM_RESERVE, PAGE_READWRITE) != nullptr;
    if (is_kept) VirtualAlloc(segment.address, committed, MEM_COMMIT, PAGE_READWRITE);
  }
  Release(segment);
  return is_kept;
}

void Drain(const Segment& overlaid) {
  const size_t committed = SizeOfView(overlaid.address, MEM_COMMIT);
  VirtualAlloc(overlaid.address, committed, MEM_RESET, PAGE_READWRITE);
}

void GiveBack(const Segment& overlaid) { VirtualFree(overlaid.address, 0, MEM_RELEASE); }

// Address space is limited only by the memory in it.
uint64_t MappableBytes() { return UINT64_MAX; }

}  // namespace shmkit::os
