// The names of segments on Windows.
//
// A section's name goes with its last handle and not before, and its size is rounded up to pages.
// So each name has an entry beside the sections that bore it, one after the other: a small section
// of its own, which everyone keeps open who has one of them mapped, and a mutex that whoever looks
// at it or changes it holds. By the entry a name can be removed while its segment is in use, and
// given to another; a segment appears when it is finished; and its size is exact.
//
// A section has the very name where that is free, so that others (Python) find it there, and is
// found there when others made it. Where a removed one that is in use still has it, the next one's
// is a number.
//
// Guarantees, by number:
//
//   N1  An entry is used under its mutex alone. Who is killed then leaves it as it was before, or
//       as it is after: `live` is written last, and says everything.
//   N2  An entry is there as long as anybody has one of its sections through this library.
#pragma once

#include <windows.h>

#include <cstdint>
#include <string>

#include "result.h"

namespace shmkit::os {

// One bearer of a name; 0 is none. Even: its section has the very name.
using Bearer = uint64_t;

class NameEntry {
 public:
  // Waits for others who look at the entry, but not for ever: EBUSY.
  static Result<NameEntry> Enter(const std::string& name);
  NameEntry(NameEntry&& other) noexcept;
  NameEntry(const NameEntry&) = delete;
  // Leaves it to others.
  ~NameEntry();

  // The section that bears the name now; ENOENT when there is none. `access` as for
  // OpenFileMappingW.
  Result<HANDLE> Open(DWORD access);
  // Which bearer that is, when Open has found it.
  Bearer live() const { return words_->live; }
  // Bytes, as they were asked for; 0 when others made it.
  uint64_t size() const { return words_->size; }

  // A new section for the name, which does not bear it before Publish. EEXIST: it has a bearer.
  Result<HANDLE> Make(uint64_t size, DWORD kind);
  Bearer made() const { return made_; }
  void Publish(uint64_t size);

  // Nobody bears the name any more. ENOENT: nobody does; or, unless it is 0, not this one.
  Status Remove(Bearer only);

  // A handle that keeps the entry (N2), for the caller to close.
  Result<HANDLE> Keep() const;

 private:
  struct Words {
    Bearer live;
    uint64_t size;  // of the live one
    // The last number that was given out.
    uint64_t last;
    // Not 0: the section of the very name is one that was removed.
    uint64_t removed_plain;
  };

  NameEntry(const std::string& name, HANDLE mutex, HANDLE section, Words* words)
      : name_(name), mutex_(mutex), section_(section), words_(words) {}

  std::wstring NameOf(Bearer bearer) const;
  Bearer Next(bool plain);
  void Withdraw();

  std::string name_;
  HANDLE mutex_;
  HANDLE section_;
  Words* words_;
  Bearer made_ = 0;
};

}  // namespace shmkit::os
