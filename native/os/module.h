// Contract: the code of this library stays loaded until the process ends; and what the program that
// loaded it has to offer beside Node-API.
//
// Its threads may outlive the environment that loaded it: a worker that alone used the library
// takes it out of memory when it ends, unless it is pinned.
#pragma once

namespace shmkit::os {

// Pins the library that holds this function. Idempotent.
void PinModule();

// What the program that loaded the library exports under a name, or null.
void* FindInProgram(const char* name);

}  // namespace shmkit::os
