// The program that loads the addon exports Node-API. But the addon's import table can name only one
// file, node.exe. That name is resolved late (delay-loaded), and the code here answers it with the
// actual program: a renamed node.exe, Electron, Bun.
// Semantics: "Linker support for delay-loaded DLLs" in Microsoft's documentation.
#include <windows.h>
// After windows.h.
#include <delayimp.h>

#include <cstring>

namespace {

FARPROC WINAPI TellHost(unsigned notification, DelayLoadInfo* load) {
  if (notification != dliNotePreLoadLibrary || _stricmp(load->szDll, "node.exe") != 0) {
    return nullptr;
  }
  return reinterpret_cast<FARPROC>(GetModuleHandleW(nullptr));
}

}  // namespace

extern "C" {
PfnDliHook __pfnDliNotifyHook2 = TellHost;
}
