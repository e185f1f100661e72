// Which section a mapped address belongs to, by a number that every process gives it alike.
//
// Windows' own wait on an address works inside one process, so waiter_win32.cc names a kernel
// object after the place of its word: the section's identity and the offset in it.
#pragma once

#include <windows.h>

#include <cstddef>
#include <cstdint>

namespace shmkit::os {

void RememberSection(void* base, size_t size, uint64_t identity);
// Also closes the semaphores of its words.
void ForgetSection(void* base);

// The semaphore on which waiters of the word at `address` sleep, opened once; null outside any
// section.
HANDLE SemaphoreOf(const void* address);

}  // namespace shmkit::os
