// What the control groups allow that this process is in: a container's limit. The pages of /dev/shm
// count, and to take more than there may be ends a process. Only what can never be had is of
// interest: what is in use now may be given back.
//
// See cgroups(7), memory.max and memory.swap.max in the kernel's cgroup-v2.rst, and
// memory.limit_in_bytes and memory.memsw.limit_in_bytes in its cgroup-v1/memory.rst.
#include <fcntl.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "mapping_posix.h"
#include "segment.h"

namespace shmkit::os {

namespace {

// Where systems mount them; in a container without a namespace of its own, its own group is there.
constexpr char kFirstVersion[] = "/sys/fs/cgroup/memory";
constexpr char kSecondVersion[] = "/sys/fs/cgroup";

struct Group {
  std::string mount;
  std::string path;  // empty, or from a slash on
};

uint64_t Sum(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

// As much of a file as its first so many bytes; empty when it cannot be read.
std::string TextOf(const std::string& path) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[4096];
  const ssize_t bytes = fd.valid() ? read(fd.get(), text, sizeof text) : 0;
  return {text, bytes > 0 ? static_cast<size_t>(bytes) : 0};
}

// The number in a file; UINT64_MAX where there is none, as in one that says "max".
uint64_t NumberIn(const std::string& path) {
  const std::string text = TextOf(path);
  char* end = nullptr;
  const uint64_t number = strtoull(text.c_str(), &end, 10);
  return end == text.c_str() ? UINT64_MAX : number;
}

// The group that limits this process' memory. Lines are "number:controllers:path"; one of the
// second version has the number 0 and no controllers.
bool FindGroup(Group* found) {
  const std::string lines = TextOf("/proc/self/cgroup");
  bool any = false;
  for (size_t at = 0; at < lines.size();) {
    const size_t end = std::min(lines.find('\n', at), lines.size());
    const std::string line = lines.substr(at, end - at);
    at = end + 1;
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    std::string path = line.substr(second + 1);
    if (path == "/" || path.find('/') != 0) path.clear();
    if (controllers.find(",memory,") != std::string::npos) {
      *found = {kFirstVersion, std::move(path)};
      return true;
    }
    if (line.compare(0, 3, "0::") == 0) {
      *found = {kSecondVersion, std::move(path)};
      any = true;
    }
  }
  return any;
}

uint64_t SwapBytes() {
  struct sysinfo info;
  return sysinfo(&info) == 0 ? uint64_t{info.totalswap} * info.mem_unit : UINT64_MAX;
}

}  // namespace

uint64_t MemoryLimit() {
  Group group;
  if (!FindGroup(&group)) return UINT64_MAX;
  const uint64_t swap = SwapBytes();
  uint64_t limit = UINT64_MAX;
  // Its parents limit it as well.
  for (;;) {
    const std::string folder = group.mount + group.path;
    const uint64_t memory =
        std::min(NumberIn(folder + "/memory.max"), NumberIn(folder + "/memory.limit_in_bytes"));
    const uint64_t swappable = std::min(swap, NumberIn(folder + "/memory.swap.max"));
    const uint64_t both = NumberIn(folder + "/memory.memsw.limit_in_bytes");
    limit = std::min({limit, Sum(memory, swappable), both});
    if (group.path.empty()) return limit;
    group.path.resize(group.path.rfind('/'));
  }
}

}  // namespace shmkit::os
