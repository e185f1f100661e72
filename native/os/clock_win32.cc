// The interrupt time, in units of 100 ns since the system was started, including sleep. Its
// function is looked up at run time, because no toolchain links the import library for it by
// default.
#include <windows.h>

#include "clock.h"

namespace shmkit::os {

namespace {

using InterruptTime = void(WINAPI*)(PULONGLONG);

InterruptTime Find() {
  const HMODULE module = GetModuleHandleW(L"kernelbase.dll");
  if (!module) return nullptr;
  return reinterpret_cast<InterruptTime>(
      reinterpret_cast<void*>(GetProcAddress(module, "QueryInterruptTimePrecise")));
}

}  // namespace

int64_t SinceBootNanoseconds() {
  static const InterruptTime interrupt_time = Find();
  // If the function is missing, it is missing in all processes of the machine.
  if (!interrupt_time) return static_cast<int64_t>(GetTickCount64()) * 1000000;
  ULONGLONG units = 0;
  interrupt_time(&units);
  return static_cast<int64_t>(units) * 100;
}

}  // namespace shmkit::os
