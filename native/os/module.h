// Contract: the code of this library stays loaded until the process ends, of which it is told; and
// what the program that loaded it has to offer beside Node-API.
//
// Its threads may outlive the environment that loaded it: a worker that alone used the library
// takes it out of memory when it ends, unless it is pinned.
#pragma once

#include <cstdint>

namespace shmkit::os {

// Pins the library that holds this function. Idempotent.
void PinModule();

// Has something done when the process ends by exit() or quick_exit(), whoever calls it, before what
// was there when the library was loaded is taken down. The other threads run on meanwhile. A
// process that was forked from this one, and stays the same program, does it as well. Not on
// Windows, where the other threads have been stopped by then, whatever they held.
void AtProcessExit(void (*act)());

// A number that a process which was forked from this one does not have.
int64_t ProcessId();

// What the program that loaded the library exports under a name, or null.
void* FindInProgram(const char* name);

}  // namespace shmkit::os
