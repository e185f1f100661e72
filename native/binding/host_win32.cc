// Node-API is exported by the program that loads the addon, and the addon's import table can name
// one file only, node.exe. That name is resolved late (delay-loaded), and here it is answered with
// whatever program this is: a renamed node.exe, Electron, Bun.
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
