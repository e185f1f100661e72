// The names of segments on Windows.
//
// The name of a section disappears with its last handle, and not before. Its size is rounded up to
// pages. So each name has an entry in addition to the sections that have had the name, one after
// another. These sections are called the bearers of the name. The entry consists of a small section
// of its own and a mutex. Every process that has one of the sections mapped keeps the entry's
// section open. A process holds the mutex while it reads or changes the entry. With the entry, a
// name can be removed while its segment is in use, and given to another segment. A segment appears
// when it is finished, and its size is exact.
//
// For Windows, a section has the same name as its segment ("the exact name") whenever that name is
// free. So other programs (Python) find the section under this name, and this library finds the
// sections of other programs. If a section that was removed, but is still in use, has the exact
// name, the name of the next section contains a number in addition.
//
// Guarantees, by number:
//
//   N1  An entry is used only under its mutex. A process that is killed while it holds the mutex
//       leaves the entry as before or as after the change: `live` is written last and decides.
//   N2  An entry exists as long as a process has one of its sections open through this library.
#pragma once

#include <windows.h>

#include <cstdint>
#include <string>

#include "result.h"

namespace shmkit::os {

// The number of a bearer: of one of the sections that have had a name, one after another. 0 means
// none. If the number is even, the section has the exact name.
using Bearer = uint64_t;

class NameEntry {
 public:
  // Opens the entry of a name, or makes it, and acquires its mutex. EBUSY if other processes hold
  // the mutex for too long.
  static Result<NameEntry> Enter(const std::string& name);
  NameEntry(NameEntry&& other) noexcept;
  NameEntry(const NameEntry&) = delete;
  // Releases the mutex and closes the entry. Other processes can use the entry then.
  ~NameEntry();

  // The section that has the name now; ENOENT if there is none. `access` as for OpenFileMappingW.
  Result<HANDLE> Open(DWORD access);
  // The bearer that Open found.
  Bearer live() const { return words_->live; }
  // The size in bytes, as requested; 0 if another program created the section.
  uint64_t size() const { return words_->size; }

  // A new section for the name. It does not bear the name before Publish. EEXIST if the name has a
  // bearer.
  Result<HANDLE> Make(uint64_t size, DWORD kind);
  Bearer made() const { return made_; }
  void Publish(uint64_t size);

  // Removes the name from its bearer. ENOENT if the name has no bearer, or, unless `only` is 0, if
  // the bearer is not `only`.
  Status Remove(Bearer only);

  // A handle that keeps the entry alive (N2). The caller closes it.
  Result<HANDLE> Keep() const;

 private:
  struct Words {
    Bearer live;
    uint64_t size;  // of the live section
    // The last bearer number that was used.
    uint64_t last;
    // Not 0: the section with the exact name does not count as a bearer any more, because it was
    // removed. It exists as long as a process uses it.
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
