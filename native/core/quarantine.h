// Address ranges of segments that were closed while JavaScript could still hold pointers to them.
//
// A closed segment's ArrayBuffer is detached, but that reaches neither a pool thread in the middle
// of filling it (crypto.randomFill, fs.read) nor a buffer made from it by ArrayBuffer.transfer. So
// its range stays mapped, to anonymous memory (os::Segment S6), until that can hardly matter:
//
//   G1  A range is kept at least until the engine has freed the buffer made over it.
//   G2  After that the oldest go first, and only when there are more ranges or bytes than the
//       limits below: address space is nearly free, a stale write into somebody else's is not.
//   G3  What late writers put into a range is dropped a while later, so that it costs no memory.
//   G4  When the process can map no more, all that are settled are given back: first those that
//       came there a while ago.
#pragma once

#include <cerrno>
#include <memory>

#include "../os/segment.h"

namespace shmkit {

class QuarantinedRange;

// Overlays the segment at once, and keeps its range. The caller tells Settle when the engine has
// freed the buffer.
std::shared_ptr<QuarantinedRange> PutInQuarantine(const os::Segment& segment);

// May be called on any thread.
void Settle(const std::shared_ptr<QuarantinedRange>& range);

// Gives settled ranges back (G4). False when there was none.
bool ReleaseSettled();

// What maps memory, and does so again where there was no address space but in quarantine.
template <class Map>
auto WithRoom(Map map) {
  auto mapped = map();
  while (!mapped.ok() && mapped.failure().error == ENOMEM && ReleaseSettled()) mapped = map();
  return mapped;
}

}  // namespace shmkit
