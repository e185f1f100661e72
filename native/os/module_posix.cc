#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>

#include "module.h"

namespace shmkit::os {

void PinModule() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&PinModule), &info) == 0) return;
  // Opens the library once more by its own name, only to set the flag. The reference is kept.
  (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

void AtProcessExit(void (*act)()) {
  (void)atexit(act);
#if !defined(__APPLE__)  // which has no quick_exit
  (void)at_quick_exit(act);
#endif
}

int64_t ProcessId() { return getpid(); }

void* FindInProgram(const char* name) { return dlsym(RTLD_DEFAULT, name); }

}  // namespace shmkit::os
