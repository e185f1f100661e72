// What ends the process when the C++ library, which throws, meets this code, which does not catch.
// GNU's own, linked statically, tells the type of what was thrown, and for that brings a demangler
// and formatted output along, a quarter of the addon. That there is one of this name is GNU's: see
// "Verbose Terminate Handler" in the libstdc++ manual.
#include <cstdio>
#include <cstdlib>

#ifdef __GLIBCXX__

namespace __gnu_cxx {

void __verbose_terminate_handler();

void __verbose_terminate_handler() {
  fputs("shmkit: the C++ library threw what nobody catches\n", stderr);
  abort();
}

}  // namespace __gnu_cxx

#endif
