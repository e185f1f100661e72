#include "win32.h"

namespace shmkit::os {

std::wstring LocalName(const std::string& utf8) {
  const int bytes = static_cast<int>(utf8.size());
  const int units = MultiByteToWideChar(CP_UTF8, 0, utf8.data(), bytes, nullptr, 0);
  std::wstring name(static_cast<size_t>(units), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, utf8.data(), bytes, name.data(), units);
  return L"Local\\" + name;
}

Failure LastFailure(const char* call) {
  switch (GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
      return {ENOENT, call};
    case ERROR_ALREADY_EXISTS:
      return {EEXIST, call};
    case ERROR_ACCESS_DENIED:
      return {EACCES, call};
    case ERROR_INVALID_HANDLE:  // the name belongs to an object of another type
    case ERROR_INVALID_PARAMETER:
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME:
      return {EINVAL, call};
    case ERROR_FILENAME_EXCED_RANGE:
      return {ENAMETOOLONG, call};
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
      return {ENOMEM, call};
    case ERROR_DISK_FULL:
    case ERROR_COMMITMENT_LIMIT:
      return {ENOSPC, call};
    default:
      return {EIO, call};
  }
}

DWORD WaitMilliseconds(int64_t nanoseconds) {
  const int64_t milliseconds = (nanoseconds + 999999) / 1000000;
  return milliseconds < INFINITE ? static_cast<DWORD>(milliseconds) : INFINITE - 1;
}

}  // namespace shmkit::os
