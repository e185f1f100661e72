// Contract: the code of this library stays loaded until the process ends. The library can be told
// when the process ends, and it can find functions of the program that loaded it, in addition to
// those of Node-API.
//
// The library's threads may outlive the environment that loaded it. If a worker is the only user of
// the library, its end would unload the library, unless the library is pinned.
#pragma once

#include <cstdint>

namespace shmkit::os {

// Pins the library that contains this function. Idempotent.
void PinModule();

// Makes the process call `act` when it ends by exit() or quick_exit(), no matter which code calls
// exit(). `act` is called before the static objects that existed when the library was loaded are
// destroyed. The other threads are still running at that time. A process that was forked from this
// one, and did not start another program, calls `act`, too. Does nothing on Windows: there, the
// other threads have already been stopped by then, even if they held locks.
void AtProcessExit(void (*act)());

// A number that differs between this process and every process that was forked from it.
int64_t ProcessId();

// The address that the program which loaded the library exports under a name, or null.
void* FindInProgram(const char* name);

}  // namespace shmkit::os
