// Contract: the code of this library stays loaded until the process ends.
//
// Its threads may outlive the environment that loaded it: a worker that alone used the library
// takes it out of memory when it ends, unless it is pinned.
#pragma once

namespace shmkit::os {

// Pins the library that holds this function. Idempotent.
void PinModule();

}  // namespace shmkit::os
