// Unmaps large segments on a thread of the library.
//
// Who unmaps a segment that has no name any more frees its pages: 200 us a MiB and more, in which
// an event loop would stand still.
#pragma once

#include "../os/segment.h"

namespace shmkit {

// Unmaps a segment to which no pointer exists: at once, or soon if that takes long.
void UnmapSoon(const os::Segment& segment);

// Waits until all segments are unmapped that are to be unmapped soon at the time of the call.
// Returns whether there were any.
bool AwaitUnmapped();

// Called before so many bytes of memory are taken. Waits if much is still to be unmapped: a process
// that makes and closes one large segment after another needs no more memory than without the
// thread.
void AwaitMostUnmapped(size_t bytes);

}  // namespace shmkit
