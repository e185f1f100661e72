// Drafts for JavaScript (os::Segment S10).
#pragma once

#include <napi.h>

#include "../os/segment.h"

namespace shmkit {

// The draft that an External is, or null for undefined.
const os::Draft* DraftIn(const Napi::Value& value);

void ExportDrafts(Napi::Env env, Napi::Object exports);

}  // namespace shmkit
