// The limit of mappings (S11).
#pragma once

#include "segment.h"

namespace shmkit::os {

// What a segment is mapped for: the creation of a new one, or the use of one that exists.
enum class MappedFor { kCreation, kUse };

// ENOMEM if the process may not map one more segment.
Status CheckMappings(MappedFor purpose);

}  // namespace shmkit::os
