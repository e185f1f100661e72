// Segments, made by the system calls of native/os/segment_linux.cc and mapping_posix.cc, in the
// same order.
#pragma once

#include <stddef.h>

// Maps an unnamed file of the tmpfs whose memory is reserved.
void* MapNew(int* fd, size_t size);
