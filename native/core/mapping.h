// A mapped segment. ArrayBuffers may have been made over it.
//
// It has one owner, and any number of buffers. The last of them frees it. The engine frees buffers
// later than it detaches them, on any thread, or never (a buffer that was transferred lives on
// elsewhere). Invariants, by number:
//
//   Q1  After Close no access through any buffer reaches the segment: its range is in quarantine
//       (core/quarantine.h). It is unmapped only if no pointer to it can exist: only the library
//       has seen it, in buffers that reach no other thread, and all these buffers are hidden.
//   Q2  As long as the owner has not closed it, the memory stays while a buffer shows it, even if
//       the owner is gone.
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

  void NoteBuffer(Audience audience);
  // A buffer of the library was emptied, and no code works with it.
  void NoteHidden();
  // The engine has freed a buffer. Touches no environment.
  void DropBuffer();

  // Idempotent.
  void Close();
  // The owner leaves.
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
  bool closed_ = false;
  std::shared_ptr<QuarantinedRange> quarantined_;
};

}  // namespace shmkit
