// Segments by the system calls of native/os/segment_linux.cc and mapping_posix.cc, in their order.
#pragma once

#include <stddef.h>

// An unnamed file of the tmpfs with its memory reserved, mapped.
void* MapNew(int* fd, size_t size);
