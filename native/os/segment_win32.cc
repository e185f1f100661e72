// Segments on Windows: sections backed by the paging file, named in the session's own namespace
// ("Local\", since "Global\" needs a privilege). A section's name goes with its last handle, so the
// handle is kept as long as the mapping; there is nothing for Unlink to remove.
// Semantics: CreateFileMappingW, OpenFileMappingW and MapViewOfFile in Microsoft's documentation.
#include <windows.h>

#include "sections_win32.h"
#include "segment.h"
#include "win32.h"

namespace shmkit::os {

namespace {

// The section of a name is one object for as long as anybody holds a handle to it, and we hold
// one: within a process the name itself identifies it.
Identity IdentityOf(const std::string& name) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return Identity{name.size(), hash};
}

// Of a view, whatever part of it is committed.
size_t SizeOfView(const void* address) {
  const auto* at = static_cast<const char*>(address);
  MEMORY_BASIC_INFORMATION part;
  size_t size = 0;
  while (VirtualQuery(at + size, &part, sizeof part) != 0 && part.AllocationBase == address) {
    size += part.RegionSize;
  }
  return size;
}

Result<Segment> MapSection(HANDLE section, const std::string& name, Access access) {
  // FILE_MAP_COPY: the reader sees live bytes, its own writes go to private page copies (S7).
  const DWORD wanted = access == Access::kReadOnly ? FILE_MAP_COPY : FILE_MAP_WRITE;
  void* address = MapViewOfFile(section, wanted, 0, 0, 0);
  if (!address) {
    const Failure failure = LastFailure("MapViewOfFile");
    CloseHandle(section);
    return failure;
  }
  const size_t size = SizeOfView(address);
  const Identity identity = IdentityOf(name);
  RememberSection(address, size, identity.object);
  return Segment{address, size, identity, section};
}

// The part of a section that must be there before anybody looks at it.
constexpr size_t kFirstLookBytes = 4096;

}  // namespace

const bool kNamesOutliveHandles = false;
const bool kPublishesWhole = false;
const size_t kNameLimitBytes = 240;

Result<Segment> Create(const std::string& name, const CreateOptions& options,
                       const Initializer* initializer) {
  // Committed whole, sparse or not: a reserved page faults until somebody commits it, and nothing
  // here sees a first touch. Windows charges a commitment but fills no page before it is used.
  // A segment that grows is reserved only (S8): whoever commits a page does so for all views.
  const auto size = static_cast<uint64_t>(options.size);
  const DWORD kind = options.first_bytes > 0 ? SEC_RESERVE : SEC_COMMIT;
  HANDLE section = CreateFileMappingW(
      INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE | kind, static_cast<DWORD>(size >> 32),
      static_cast<DWORD>(size & 0xffffffffu), LocalName(name).c_str());
  if (!section) return LastFailure("CreateFileMappingW");
  if (GetLastError() == ERROR_ALREADY_EXISTS) {
    CloseHandle(section);
    return Failure{EEXIST, "CreateFileMappingW"};
  }
  Result<Segment> mapped = MapSection(section, name, Access::kReadWrite);
  if (!mapped.ok()) return mapped;
  if (options.first_bytes > 0) {
    const Status there = Commit(mapped.value(), 0, options.first_bytes);
    if (!there.ok()) {
      Unmap(mapped.value());
      return there.failure();
    }
  }
  if (initializer) {
    const Status filled = initializer->fill(mapped.value().address, initializer->context);
    if (!filled.ok()) {
      Unmap(mapped.value());
      return filled.failure();
    }
  }
  return mapped;
}

Result<Segment> Attach(const std::string& name, Access access) {
  const DWORD wanted = access == Access::kReadOnly ? FILE_MAP_COPY : FILE_MAP_ALL_ACCESS;
  HANDLE section = OpenFileMappingW(wanted, FALSE, LocalName(name).c_str());
  if (!section) return LastFailure("OpenFileMappingW");
  Result<Segment> mapped = MapSection(section, name, access);
  if (!mapped.ok() || access != Access::kGrowing) return mapped;
  // Its creator may not have come so far.
  const Status there = Commit(mapped.value(), 0, kFirstLookBytes);
  if (there.ok()) return mapped;
  Unmap(mapped.value());
  return there.failure();
}

Status Commit(const Segment& segment, size_t offset, size_t bytes) {
  void* from = static_cast<char*>(segment.address) + offset;
  if (!VirtualAlloc(from, bytes, MEM_COMMIT, PAGE_READWRITE)) return LastFailure("VirtualAlloc");
  return Nothing{};
}

Status Unlink(const std::string& name, const Identity*) {
  HANDLE section = OpenFileMappingW(FILE_MAP_READ, FALSE, LocalName(name).c_str());
  if (!section) return LastFailure("OpenFileMappingW");
  CloseHandle(section);
  return Nothing{};
}

Result<std::vector<Listing>> List() { return Failure{ENOTSUP, "OpenFileMappingW"}; }

void Unmap(const Segment& segment) {
  ForgetSection(segment.address);
  UnmapViewOfFile(segment.address);
  CloseHandle(static_cast<HANDLE>(segment.keep_alive));
}

void Bury(const Segment& segment) {
  // Windows replaces a view in two steps. In between, another thread's allocation may take the
  // range; then it is that thread's, and there is nothing left to bury.
  // Of a segment that grows nobody has a pointer to more than its committed beginning.
  MEMORY_BASIC_INFORMATION committed;
  VirtualQuery(segment.address, &committed, sizeof committed);
  Unmap(segment);
  VirtualAlloc(segment.address, segment.size, MEM_RESERVE, PAGE_READWRITE);
  VirtualAlloc(segment.address, committed.RegionSize, MEM_COMMIT, PAGE_READWRITE);
}

void Drain(const Segment& buried) {
  VirtualAlloc(buried.address, buried.size, MEM_RESET, PAGE_READWRITE);
}

void Exhume(const Segment& buried) { VirtualFree(buried.address, 0, MEM_RELEASE); }

}  // namespace shmkit::os
