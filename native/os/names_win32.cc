#include "names_win32.h"

#include <cstdio>
#include <utility>

#include "win32.h"

namespace shmkit::os {

namespace {

// An entry is held as long as it takes to make a section and fill it. A process that holds it for
// longer was stopped there.
constexpr DWORD kPatienceMs = 10000;

constexpr DWORD kEntryBytes = 4096;

bool IsPlain(Bearer bearer) { return bearer % 2 == 0; }

}  // namespace

Result<NameEntry> NameEntry::Enter(const std::string& name) {
  HANDLE mutex = CreateMutexW(nullptr, FALSE, LocalName("shmkit.entry." + name).c_str());
  if (!mutex) return LastFailure("CreateMutexW");
  const DWORD waited = WaitForSingleObject(mutex, kPatienceMs);
  if (waited != WAIT_OBJECT_0 && waited != WAIT_ABANDONED) {
    CloseHandle(mutex);
    return Failure{EBUSY, "WaitForSingleObject"};
  }
  HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, kEntryBytes,
                                      LocalName("shmkit.bearers." + name).c_str());
  void* words = section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : nullptr;
  if (!words) {
    const Failure failure = LastFailure("CreateFileMappingW");
    if (section) CloseHandle(section);
    ReleaseMutex(mutex);
    CloseHandle(mutex);
    return failure;
  }
  return NameEntry(name, mutex, section, static_cast<Words*>(words));
}

NameEntry::NameEntry(NameEntry&& other) noexcept
    : name_(std::move(other.name_)),
      mutex_(std::exchange(other.mutex_, nullptr)),
      section_(other.section_),
      words_(other.words_),
      made_(other.made_) {}

NameEntry::~NameEntry() {
  if (!mutex_) return;
  UnmapViewOfFile(words_);
  CloseHandle(section_);
  ReleaseMutex(mutex_);
  CloseHandle(mutex_);
}

std::wstring NameEntry::NameOf(Bearer bearer) const {
  if (IsPlain(bearer)) return LocalName(name_);
  char number[32];
  snprintf(number, sizeof number, "shmkit.%llx.", static_cast<unsigned long long>(bearer));
  return LocalName(number + name_);
}

Bearer NameEntry::Next(bool plain) {
  ++words_->last;
  return words_->last * 2 + (plain ? 0 : 1);
}

void NameEntry::Withdraw() {
  if (IsPlain(words_->live)) words_->removed_plain = 1;
  words_->live = 0;
}

Result<HANDLE> NameEntry::Open(DWORD access) {
  if (words_->live != 0) {
    HANDLE section = OpenFileMappingW(access, FALSE, NameOf(words_->live).c_str());
    if (section) return section;
    const Failure failure = LastFailure("OpenFileMappingW");
    if (failure.error != ENOENT) return failure;
    // All processes that had this section are gone. The entry still exists, because other processes
    // have another section of the same name.
    words_->live = 0;
  }
  if (words_->removed_plain != 0) return Failure{ENOENT, "OpenFileMappingW"};
  HANDLE section = OpenFileMappingW(access, FALSE, LocalName(name_).c_str());
  if (!section) return LastFailure("OpenFileMappingW");
  words_->size = 0;
  words_->live = Next(/*plain=*/true);
  return section;
}

Result<HANDLE> NameEntry::Make(uint64_t size, DWORD kind) {
  Result<HANDLE> taken = Open(FILE_MAP_READ);
  if (taken.ok()) {
    CloseHandle(taken.value());
    return Failure{EEXIST, "CreateFileMappingW"};
  }
  if (taken.failure().error != ENOENT) return taken;
  for (const bool plain : {true, false}) {
    made_ = Next(plain);
    HANDLE section = CreateFileMappingW(
        INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE | kind, static_cast<DWORD>(size >> 32),
        static_cast<DWORD>(size & 0xffffffffu), NameOf(made_).c_str());
    if (!section) return LastFailure("CreateFileMappingW");
    if (GetLastError() != ERROR_ALREADY_EXISTS) return section;
    CloseHandle(section);
  }
  return Failure{EEXIST, "CreateFileMappingW"};
}

void NameEntry::Publish(uint64_t size) {
  words_->size = size;
  if (IsPlain(made_)) words_->removed_plain = 0;
  words_->live = made_;
}

Status NameEntry::Remove(Bearer only) {
  Result<HANDLE> section = Open(FILE_MAP_READ);
  if (!section.ok()) return section.failure();
  CloseHandle(section.value());
  if (only != 0 && only != words_->live) return Failure{ENOENT, "OpenFileMappingW"};
  Withdraw();
  return Nothing{};
}

Result<HANDLE> NameEntry::Keep() const {
  HANDLE kept = nullptr;
  const HANDLE self = GetCurrentProcess();
  if (!DuplicateHandle(self, section_, self, &kept, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
    return LastFailure("DuplicateHandle");
  }
  return kept;
}

}  // namespace shmkit::os
