// Address ranges that are replaced while threads may access them.
//
// Windows removes a view and puts other memory in its place in two steps. A thread that writes
// there between the steps faults. It then waits for the second step and repeats the write. A system
// call that gets such an address fails with ERROR_NOACCESS.
#ifndef SHMKIT_OS_REPLACEMENT_WIN32_H_
#define SHMKIT_OS_REPLACEMENT_WIN32_H_

namespace shmkit::os {

// While an object of this class exists, threads that fault wait for its end. The thread that
// created it must not fault.
class Replacement {
 public:
  Replacement();
  ~Replacement();
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;
};

}  // namespace shmkit::os

#endif  // SHMKIT_OS_REPLACEMENT_WIN32_H_
