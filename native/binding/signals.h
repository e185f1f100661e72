// Hearing of a signal that is about to end the process, where no JavaScript can listen for it.
//
// Guarantees, by number:
//
//   H1  Who listens through the runtime (libuv) when a signal comes decides about it, as ever. If
//       nobody does, `end` is called, on a thread of the library's own, whatever the others are at;
//       then the process ends by the signal, as it would have. It does not matter who began first.
//   H2  A handler of the application's own native code stays, and decides.
//   H3  The first process of a container, which the system spares, exits with 128 and the number.
//   H4  When nobody hears any more, all is as it was.
//   H5  The thread that the signal came to does not go on meanwhile, but for what takes long: it
//   may
//       have what the end waits for. If another exits, the process ends by the signal all the same.
//
// Mechanisms: signals_posix.cc; signals_win32.cc has none, for names go there with their processes.
// The build files choose.
#pragma once

#include <napi.h>

namespace shmkit {

// Counted. False where there is no libuv, or no thread: nothing is heard then.
bool HearSignals(napi_env env, void (*end)());
void UnhearSignals();
// Waits while a signal is about to end the process, or it is looked whether it does: the caller
// would end it otherwise.
void AwaitEndBySignal();
// Nothing is heard any more, however many want to.
void DeafenToSignals();

}  // namespace shmkit
