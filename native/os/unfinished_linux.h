// Files in /dev/shm that are being made. They are used if the file system has no unnamed files
// (gVisor's tmpfs, old overlays), or if unnamed files cannot be given a name.
//
// Invariants, by number:
//
//   U1  Such a file has a name of its own kind, which no segment has (IsNoSegment). When it is
//       finished, it gets the segment's name as well, by link(2). Then the first name is removed.
//   U2  Its creator holds its flock, from before the file has any content, until the file is
//       finished or the creator has ended. The kernel then releases the flock.
//   U3  A process that gets the flock of a file with such a name has found a file of a dead
//       creator, and removes this name. This is correct even if the file already has its segment's
//       name.
//   U4  If a creator does not get the flock of its new file, or has the flock and finds the name
//       removed, it was taken for dead (U3). It starts again.
//   U5  No name is used twice, so a process that removes the name of a dead creator never removes
//       the name of a living one.
#pragma once

#include <cstddef>

namespace shmkit::os {

constexpr size_t kUnfinishedPathBytes = 64;

// Makes an empty file that only its owner may open. Returns its descriptor, or a negative errno
// value. The caller removes the name.
int MakeUnfinished(char (&path)[kUnfinishedPathBytes]);

// Whether a file of that name is not a segment: it is or was being made, or it is a presence.
bool IsNoSegment(const char* name);

// Removes the files of dead creators (U3). Also removes the presence files of dead threads
// (presence_files.h), because a living thread holds the flock of its file, too. Returns whether any
// file was removed.
bool RemoveLeft();

}  // namespace shmkit::os
