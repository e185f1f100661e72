// The limit of the control groups that this process is in, such as a container's limit. The pages
// of /dev/shm count towards it. The system kills a process if more is taken than the limit allows.
// Only the limit itself is of interest here, not what is left of it: memory that is in use now may
// be given back.
//
// See cgroups(7), memory.max and memory.swap.max in the kernel's cgroup-v2.rst, and
// memory.limit_in_bytes and memory.memsw.limit_in_bytes in its cgroup-v1/memory.rst.
#include <fcntl.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "mapping_posix.h"
#include "segment.h"

namespace shmkit::os {

namespace {

// Where systems mount the control groups. In a container without a cgroup namespace of its own, the
// container's group is mounted there.
constexpr char kFirstVersion[] = "/sys/fs/cgroup/memory";
constexpr char kSecondVersion[] = "/sys/fs/cgroup";

constexpr size_t kTextBytes = 4096;

// Reads as much of a file as fits, and adds a 0 at the end. Empty if the file cannot be read.
void ReadText(const char* path, char* text, size_t size) {
  const Descriptor fd(open(path, O_RDONLY | O_CLOEXEC));
  const ssize_t bytes = fd.valid() ? read(fd.get(), text, size - 1) : 0;
  text[bytes > 0 ? bytes : 0] = 0;
}

// The number in a group's file. UINT64_MAX if there is no number, for example in a file that says
// "max".
[[gnu::noinline]] uint64_t NumberIn(const char* mount, const char* group, const char* name) {
  char path[kTextBytes + 64];
  char text[32];
  char* end = nullptr;
  snprintf(path, sizeof path, "%s%s/%s", mount, group, name);
  ReadText(path, text, sizeof text);
  const uint64_t number = strtoull(text, &end, 10);
  return end == text ? UINT64_MAX : number;
}

uint64_t Least(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t Sum(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

// Where the path of the group begins in a line "number:controllers:path", if that group limits the
// memory. This is the case if one of the controllers is memory. It is also the case in the second
// version, which has the number 0 and names no controllers.
char* PathIn(char* line, bool* is_first_version) {
  char* const controllers = strchr(line, ':');
  char* const path = controllers ? strchr(controllers + 1, ':') : nullptr;
  if (!path) return nullptr;
  *path = 0;
  *is_first_version = false;
  if (strcmp(line, "0:") == 0) return path + 1;
  char* rest = nullptr;
  for (char* one = strtok_r(controllers + 1, ",", &rest); one;
       one = strtok_r(nullptr, ",", &rest)) {
    *is_first_version = *is_first_version || strcmp(one, "memory") == 0;
  }
  return *is_first_version ? path + 1 : nullptr;
}

}  // namespace

uint64_t MemoryLimit() {
  char lines[kTextBytes];
  ReadText("/proc/self/cgroup", lines, sizeof lines);
  const char* mount = nullptr;
  char* group = nullptr;
  char* rest = nullptr;
  for (char* line = strtok_r(lines, "\n", &rest); line; line = strtok_r(nullptr, "\n", &rest)) {
    bool is_first_version = false;
    char* const path = PathIn(line, &is_first_version);
    if (!path) continue;
    group = path;
    mount = is_first_version ? kFirstVersion : kSecondVersion;
    if (is_first_version) break;
  }
  if (!group) return UINT64_MAX;

  struct sysinfo info;
  const uint64_t swap = sysinfo(&info) == 0 ? uint64_t{info.totalswap} * info.mem_unit : UINT64_MAX;
  uint64_t limit = UINT64_MAX;
  // The group's parents limit it, too, up to the mount itself.
  for (char* end = group + strlen(group); end; end = strrchr(group, '/')) {
    *end = 0;
    const auto number = [=](const char* name) { return NumberIn(mount, group, name); };
    const uint64_t memory = Least(number("memory.max"), number("memory.limit_in_bytes"));
    const uint64_t swappable = Least(swap, number("memory.swap.max"));
    limit = Least(limit, Sum(memory, swappable));
    limit = Least(limit, number("memory.memsw.limit_in_bytes"));
  }
  return limit;
}

}  // namespace shmkit::os
