// Finds the section to which a mapped address belongs. A section is identified by a number that is
// the same in every process.
//
// Windows' own wait on an address works only inside one process. So waiter_win32.cc names a kernel
// object after the position of its word: the identity of the section and the offset in it.
#pragma once

#include <windows.h>

#include <cstddef>
#include <cstdint>

namespace shmkit::os {

// Called when a section has been mapped at `base`.
void RememberSection(void* base, size_t size, uint64_t identity);
// Called before the section is unmapped. Also closes the semaphores of the words in it.
void ForgetSection(void* base);

// The semaphore on which waiters of the word at `address` sleep. It is opened once. Null outside of
// all sections.
HANDLE SemaphoreOf(const void* address);

}  // namespace shmkit::os
