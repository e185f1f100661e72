#include "signals.h"

namespace shmkit {

bool HearSignals(napi_env, void (*)()) { return false; }

void UnhearSignals() {}

void AwaitEndBySignal() {}

void DeafenToSignals() {}

}  // namespace shmkit
