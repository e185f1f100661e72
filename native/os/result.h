// The result of an operating-system call: a value, or which call failed and how.
//
// Nothing in native/os throws. A Failure names the call as the system's manual does. Its error is
// an errno value on every platform (the Windows files translate their errors), so that the callers
// compare one set of numbers.
#pragma once

#include <cerrno>
#include <cstdint>
#include <utility>
#include <variant>

namespace shmkit::os {

struct Failure {
  int error;         // an errno value, never 0
  const char* call;  // a static string: "open", "mmap", "CreateFileMappingW", ...
  // The directory that contains the object, if that directory is at fault and not the object. The
  // text stays as long as the process.
  const char* place = nullptr;
  uint64_t bytes = 0;  // of memory that were requested, if there was too little
};

struct Nothing {};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure) : held_(std::in_place_index<1>, failure) {}

  bool ok() const { return held_.index() == 0; }
  T& value() { return *std::get_if<0>(&held_); }
  const T& value() const { return *std::get_if<0>(&held_); }
  const Failure& failure() const { return *std::get_if<1>(&held_); }

 private:
  std::variant<T, Failure> held_;
};

using Status = Result<Nothing>;

// The symbolic name of an errno value ("ENOENT"), or "EUNKNOWN".
inline const char* ErrorName(int error) {
  switch (error) {
#define SHMKIT_NAME(name) \
  case name:              \
    return #name;
    SHMKIT_NAME(EACCES)
    SHMKIT_NAME(EAGAIN)
    SHMKIT_NAME(EBUSY)
#if defined(EDQUOT)  // mingw has none
    SHMKIT_NAME(EDQUOT)
#endif
    SHMKIT_NAME(EEXIST)
    SHMKIT_NAME(EFBIG)
    SHMKIT_NAME(EINTR)
    SHMKIT_NAME(EINVAL)
    SHMKIT_NAME(EIO)
    SHMKIT_NAME(EISDIR)
    SHMKIT_NAME(ELOOP)
    SHMKIT_NAME(EMFILE)
    SHMKIT_NAME(ENAMETOOLONG)
    SHMKIT_NAME(ENFILE)
    SHMKIT_NAME(ENODEV)
    SHMKIT_NAME(ENOENT)
    SHMKIT_NAME(ENOMEM)
    SHMKIT_NAME(ENOSPC)
    SHMKIT_NAME(ENOSYS)
    SHMKIT_NAME(ENOTDIR)
    SHMKIT_NAME(ENOTSUP)
    SHMKIT_NAME(ENXIO)
    SHMKIT_NAME(EOVERFLOW)
    SHMKIT_NAME(EPERM)
    SHMKIT_NAME(EROFS)
#undef SHMKIT_NAME
    default:
      return "EUNKNOWN";
  }
}

}  // namespace shmkit::os
