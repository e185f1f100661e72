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

Result<Segment> MapSection(HANDLE section, const std::string& name, Access access) {
  // FILE_MAP_COPY: the reader sees live bytes, its own writes go to private page copies (S7).
  const DWORD wanted = access == Access::kReadOnly ? FILE_MAP_COPY : FILE_MAP_WRITE;
  void* address = MapViewOfFile(section, wanted, 0, 0, 0);
  if (!address) {
    const Failure failure = LastFailure("MapViewOfFile");
    CloseHandle(section);
    return failure;
  }
  MEMORY_BASIC_INFORMATION view;
  VirtualQuery(address, &view, sizeof view);
  const Identity identity = IdentityOf(name);
  RememberSection(address, view.RegionSize, identity.object);
  return Segment{address, view.RegionSize, identity, section};
}

}  // namespace

const bool kNamesOutliveHandles = false;
const bool kPublishesWhole = false;
const size_t kNameLimitBytes = 240;

Result<Segment> Create(const std::string& name, const CreateOptions& options,
                       const Initializer* initializer) {
  // Committed whole, sparse or not: a reserved page faults until somebody commits it, and nothing
  // here sees a first touch. Windows charges a commitment but fills no page before it is used.
  const auto size = static_cast<uint64_t>(options.size);
  HANDLE section = CreateFileMappingW(
      INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE | SEC_COMMIT, static_cast<DWORD>(size >> 32),
      static_cast<DWORD>(size & 0xffffffffu), LocalName(name).c_str());
  if (!section) return LastFailure("CreateFileMappingW");
  if (GetLastError() == ERROR_ALREADY_EXISTS) {
    CloseHandle(section);
    return Failure{EEXIST, "CreateFileMappingW"};
  }
  Result<Segment> mapped = MapSection(section, name, Access::kReadWrite);
  if (!mapped.ok()) return mapped;
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
  return MapSection(section, name, access);
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
  Unmap(segment);
  VirtualAlloc(segment.address, segment.size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void Drain(const Segment& buried) {
  VirtualAlloc(buried.address, buried.size, MEM_RESET, PAGE_READWRITE);
}

void Exhume(const Segment& buried) { VirtualFree(buried.address, 0, MEM_RELEASE); }

}  // namespace shmkit::os
