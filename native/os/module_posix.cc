#include <dlfcn.h>

#include "module.h"

namespace shmkit::os {

void PinModule() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&PinModule), &info) == 0) return;
  // Opened once more by its own name, only to take on the flag; the reference is kept.
  (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

void* FindInProgram(const char* name) { return dlsym(RTLD_DEFAULT, name); }

}  // namespace shmkit::os
