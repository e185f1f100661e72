// A mapped segment. ArrayBuffers may have been made over it.
//
// A mapping has one owner, and any number of buffers. It is freed when the owner and all buffers
// are gone. The engine frees buffers later than it detaches them, on any thread, or never (a buffer
// that was transferred lives on elsewhere). Invariants, by number:
//
//   Q1  After Close no access through any buffer reaches the segment: its range is in quarantine
//       (core/quarantine.h). It is unmapped only if no pointer to it can exist: only the library
//       has used it, in buffers that reach no other thread, and all these buffers were detached
//       (Hide in binding/buffers.h).
//   Q2  As long as the owner has not called Close, the memory stays mapped while there is a buffer
//       over it, even if the owner is gone.
#pragma once

#include <memory>
#include <mutex>

#include "../os/segment.h"
#include "quarantine.h"

namespace shmkit {

class Mapping {
 public:
  explicit Mapping(const os::Segment& segment) : segment_(segment) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  const os::Segment& segment() const { return segment_; }
  unsigned char* bytes() const { return static_cast<unsigned char*>(segment_.address); }
  bool closed();

  // For whom a buffer is made.
  enum class Audience { kUsers, kLibrary };

  // Called before a buffer is made.
  void NoteBuffer(Audience audience);
  // Called when a buffer of the library was detached, and no code works with it.
  void NoteHidden();
  // Called when the engine has freed a buffer. May be called on any thread, because it does not use
  // an environment.
  void DropBuffer();

  // Called when the segment has lost its name. Who unmaps it may be the one who frees its pages.
  void NoteUnlinked();
  // Ends all access to the segment (Q1). Idempotent.
  void Close();
  // Called when the owner does not need the mapping any more. The caller must not use it after
  // that.
  void Abandon();

 private:
  ~Mapping() = default;
  void CloseLocked();
  void Drop(int Mapping::* count);

  const os::Segment segment_;
  std::mutex mutex_;  // guards all below
  int owners_ = 1;
  int buffers_ = 0;
  bool shown_ = false;  // to user code
  int unhidden_ = 0;    // buffers of the library
  bool unlinked_ = false;
  bool closed_ = false;
  std::shared_ptr<QuarantinedRange> quarantined_;
};

}  // namespace shmkit
