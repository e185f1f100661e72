// Ranges that are replaced while threads may touch them.
//
// Windows takes a view away and gives other memory in its place in two steps, and a thread that
// writes there in between faults. It waits for the second step instead, and does the write again.
// A system call that is given such an address then fails with ERROR_NOACCESS.
#ifndef SHMKIT_OS_REPLACEMENT_WIN32_H_
#define SHMKIT_OS_REPLACEMENT_WIN32_H_

namespace shmkit::os {

// As long as one lives, threads that fault wait for its end. Its own thread must not fault.
class Replacement {
 public:
  Replacement();
  ~Replacement();
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;
};

}  // namespace shmkit::os

#endif  // SHMKIT_OS_REPLACEMENT_WIN32_H_
