// Shared by the Windows files: wide names in the session's namespace, and error numbers.
#pragma once

#include <windows.h>

#include <string>

#include "result.h"

namespace shmkit::os {

std::wstring LocalName(const std::string& utf8);

// GetLastError() as an errno value.
Failure LastFailure(const char* call);

// The milliseconds of a wait, rounded up and kept below INFINITE.
DWORD WaitMilliseconds(int64_t nanoseconds);

}  // namespace shmkit::os
