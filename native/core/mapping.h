// A mapped segment over which ArrayBuffers may have been made.
//
// It has one owner, and any number of buffers; whichever goes last frees it. Buffers are freed by
// the engine, later than they are detached, on threads of its choice, or never (one that was
// transferred away lives on in foreign hands). Invariants, by number:
//
//   Q1  After Close no access through any buffer reaches the segment: its range is in quarantine
//       (core/quarantine.h). It is unmapped when nobody can have a pointer to it: when only the
//       library was ever shown it, whose buffers reach no other thread, and all those are hidden.
//   Q2  While the owner has not closed it, the memory stays for as long as a buffer shows it, even
//       when the owner is gone.
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

  // Whom a buffer is made for.
  enum class Audience { kUsers, kLibrary };

  void NoteBuffer(Audience audience);
  // A buffer of the library's was emptied, and nobody is at work with it.
  void NoteHidden();
  // The engine has freed a buffer. Touches no environment.
  void DropBuffer();

  // Idempotent.
  void Close();
  // The owner goes.
  void Abandon();

 private:
  ~Mapping() = default;
  void CloseLocked();
  void Drop(int Mapping::* count);

  const os::Segment segment_;
  std::mutex mutex_;  // guards all below
  int owners_ = 1;
  int buffers_ = 0;
  bool shown_ = false;  // to users
  int unhidden_ = 0;    // buffers of the library's
  bool closed_ = false;
  std::shared_ptr<QuarantinedRange> quarantined_;
};

}  // namespace shmkit
