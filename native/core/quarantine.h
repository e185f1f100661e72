// Address ranges of segments that were closed while JavaScript could still hold pointers to them.
//
// The ArrayBuffer of a closed segment is detached. But this does not affect a pool thread that is
// just filling the buffer (crypto.randomFill, fs.read), or a buffer that was made from it by
// ArrayBuffer.transfer. So the range stays mapped, to anonymous memory (os::Segment S6), until that
// is very unlikely to matter:
//
//   G1  A range is kept at least until the engine has freed the buffer that was made over it.
//   G2  After that, the oldest ranges are given back first, and only if there are more ranges or
//       bytes than the limits allow: address space is nearly free, but a stale write into memory of
//       another owner is not.
//   G3  What late writers put into a range is dropped some time later, so that it uses no memory.
//   G4  A range is settled when the engine has freed the buffer (G1). If the process cannot map any
//       more memory, all settled ranges are given back. Ranges that were closed some time ago are
//       given back first.
#pragma once

#include <cerrno>
#include <memory>

#include "../os/segment.h"
#include "unmapper.h"

namespace shmkit {

class QuarantinedRange;

// Overlays the segment at once, and keeps its range. The caller must call Settle when the engine
// has freed the buffer.
std::shared_ptr<QuarantinedRange> PutInQuarantine(const os::Segment& segment);

// Called when the engine has freed the buffer. From then on the range may be given back. May be
// called on any thread.
void Settle(const std::shared_ptr<QuarantinedRange>& range);

// Gives settled ranges back (G4). False if there was none.
bool ReleaseSettled();

// Makes room for what could not be mapped: waits for what is being unmapped, and lets the
// quarantine give some address space back. Returns false if there was none.
bool MakeRoom(int error);

// Calls a function that maps memory. Calls it again as long as memory or address space is lacking,
// and some can be given back.
template <class Map>
auto WithRoom(Map map) {
  auto mapped = map();
  while (!mapped.ok() && MakeRoom(mapped.failure().error)) mapped = map();
  return mapped;
}

// The same for a function that takes so many bytes of memory.
template <class Make>
auto WithMemory(size_t bytes, Make make) {
  AwaitMostUnmapped(bytes);
  return WithRoom(make);
}

}  // namespace shmkit
