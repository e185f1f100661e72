// Files of /dev/shm that are being made, where the file system has no unnamed ones (gVisor's tmpfs,
// old overlays), or where such cannot be given a name.
//
// Invariants, by number:
//
//   U1  One has a name of its own kind, which is no segment's (IsNoSegment), until it is given the
//       segment's name as well, finished, by link(2). Then the first is removed.
//   U2  Its creator has the flock of it from before there is anything in it until it is done, or
//       has ended: the kernel lets go of it then.
//   U3  Whoever is granted the flock of one that bears such a name has found what a creator left
//       that died, and removes this name. That is also right when the file has got its segment's
//       name.
//   U4  A creator that does not get the flock of its new file, or finds the name removed when it
//       has it, was taken for a dead one (U3), and begins anew.
//   U5  No name is given twice: who removes one of the dead removes none of the living.
#pragma once

#include <cstddef>

namespace shmkit::os {

constexpr size_t kUnfinishedPathBytes = 64;

// An empty file, which only its owner may open: its descriptor, or an errno value below 0. The
// caller removes the name.
int MakeUnfinished(char (&path)[kUnfinishedPathBytes]);

// Whether a file of that name is no segment: it is, or was, being made, or is somebody's presence.
bool IsNoSegment(const char* name);

// Removes what creators left that died (U3), and presences of the dead, which are flocked likewise.
// Whether there was any.
bool RemoveLeft();

}  // namespace shmkit::os
