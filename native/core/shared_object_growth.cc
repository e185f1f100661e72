// How an object that grows gets more memory. The object's class in TypeScript knows who may call
// this and when, and how much memory the object has already. The code here only knows a range of
// bytes.
#include "shared_object.h"

namespace shmkit {

os::Status SharedObject::Commit(size_t offset, size_t bytes) {
  const os::Segment& segment = mapping_->segment();
  const bool inside = offset <= shape_.size && bytes <= shape_.size - offset && bytes > 0;
  if (!inside || !segment.keep_alive) return os::Failure{EINVAL, "commit"};
  return WithMemory(bytes, [&] { return os::Commit(segment, offset, bytes); });
}

}  // namespace shmkit
