#include "replacement_win32.h"

#include <windows.h>

namespace shmkit::os {

namespace {

// The parameters of an access violation in an exception record (EXCEPTION_RECORD in Microsoft's
// documentation): what was done, and where.
constexpr DWORD kKind = 0;
constexpr DWORD kAddress = 1;
constexpr ULONG_PTR kMostOfReadOrWrite = 1;

SRWLOCK replacing = SRWLOCK_INIT;
INIT_ONCE once = INIT_ONCE_STATIC_INIT;

// Whether the address is in memory of the kind that replaces ranges. Then an access that failed a
// moment ago does not fail again.
bool IsReplaced(ULONG_PTR address) {
  MEMORY_BASIC_INFORMATION pages;
  return VirtualQuery(reinterpret_cast<const void*>(address), &pages, sizeof pages) != 0 &&
         pages.State == MEM_COMMIT && pages.Type == MEM_PRIVATE && pages.Protect == PAGE_READWRITE;
}

LONG CALLBACK Await(EXCEPTION_POINTERS* exception) {
  const EXCEPTION_RECORD& record = *exception->ExceptionRecord;
  if (record.ExceptionCode != EXCEPTION_ACCESS_VIOLATION ||
      record.ExceptionInformation[kKind] > kMostOfReadOrWrite) {
    return EXCEPTION_CONTINUE_SEARCH;
  }
  AcquireSRWLockShared(&replacing);
  const bool replaced = IsReplaced(record.ExceptionInformation[kAddress]);
  ReleaseSRWLockShared(&replacing);
  return replaced ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH;
}

// Installed before other handlers, which may treat the fault as the end of the program.
BOOL CALLBACK Install(INIT_ONCE*, void*, void**) {
  return AddVectoredExceptionHandler(TRUE, Await) != nullptr;
}

}  // namespace

Replacement::Replacement() {
  InitOnceExecuteOnce(&once, Install, nullptr, nullptr);
  AcquireSRWLockExclusive(&replacing);
}

Replacement::~Replacement() { ReleaseSRWLockExclusive(&replacing); }

}  // namespace shmkit::os
