// The only function of Windows' bcryptprimitives.dll that Rust programs use, for versions of Wine
// without that library.
#include <windows.h>
// It must come after windows.h.
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T bytes) {
  const ULONG most = 1 << 20;
  while (bytes > 0) {
    const ULONG part = bytes < most ? (ULONG)bytes : most;
    if (!RtlGenRandom(data, part)) return FALSE;
    data += part;
    bytes -= part;
  }
  return TRUE;
}
