#include <process.h>
#include <windows.h>

#include <memory>

#include "thread.h"

namespace shmkit::os {

namespace {

unsigned __stdcall Run(void* argument) {
  const std::unique_ptr<std::function<void()>> body(static_cast<std::function<void()>*>(argument));
  (*body)();
  return 0;
}

}  // namespace

bool StartThread(std::function<void()> body) {
  auto argument = std::make_unique<std::function<void()>>(std::move(body));
  // Not CreateThread, because the thread uses the C library.
  const uintptr_t thread = _beginthreadex(nullptr, 0, Run, argument.get(), 0, nullptr);
  if (thread == 0) return false;
  // From here on it belongs to the thread.
  (void)argument.release();
  CloseHandle(reinterpret_cast<HANDLE>(thread));
  return true;
}

void SleepFor(uint32_t milliseconds) { Sleep(milliseconds); }

void Nap() { Sleep(1); }

void MakeWay() { SwitchToThread(); }

unsigned Processors() {
  DWORD_PTR ours = 0;
  DWORD_PTR all = 0;
  if (!GetProcessAffinityMask(GetCurrentProcess(), &ours, &all)) return 1;
  unsigned count = 0;
  for (; ours != 0; ours &= ours - 1) ++count;
  // Zero if the process uses several groups of processors, each of which has more than one.
  return count == 0 ? 2 : count;
}

}  // namespace shmkit::os
