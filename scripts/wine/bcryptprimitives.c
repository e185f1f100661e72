// The one function of Windows' bcryptprimitives.dll that Rust's programs use, for versions of Wine
// that have no such library.
#include <windows.h>
// After windows.h.
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
