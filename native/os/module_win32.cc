#include <windows.h>

#include "module.h"

namespace shmkit::os {

void PinModule() {
  HMODULE module = nullptr;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCWSTR>(&PinModule), &module);
}

void AtProcessExit(void (*)()) {}

int64_t ProcessId() { return GetCurrentProcessId(); }

void* FindInProgram(const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(nullptr), name));
}

}  // namespace shmkit::os
