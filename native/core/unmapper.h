// Unmaps large segments on a thread of the library.
//
// Who unmaps a segment that has no name any more frees its pages: 200 us a MiB and more, in which
// an event loop would stand still.
#pragma once

#include "../os/segment.h"

namespace shmkit {

// Unmaps a segment to which no pointer exists: at once, or soon if that takes long.
void UnmapSoon(const os::Segment& segment);

// Waits until everything is unmapped that is to be unmapped soon. Returns whether there was
// anything.
bool AwaitUnmapped();

}  // namespace shmkit
