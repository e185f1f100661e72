// Drafts for JavaScript (os::Segment S10).
#pragma once

#include <napi.h>

#include "../os/segment.h"

namespace shmkit {

// The draft that an External is. Null if it was discarded or used.
const os::Draft* DraftIn(const Napi::Value& value);

// Called when an object was made out of it, which has the memory now.
void NoteUsed(const Napi::Value& value);

void ExportDrafts(Napi::Env env, Napi::Object exports);

}  // namespace shmkit
