// Reacts to a signal that is about to end the process, where no JavaScript can listen for it.
//
// Guarantees, by number:
//
//   H1  If there is a listener of the runtime (libuv) when a signal comes, the listener decides
//       about the signal, as always. If there is none, `end` is called, on a thread of the library,
//       no matter what the other threads do. Then the process ends by the signal, as it would have
//       done anyway. It does not matter who started to listen first.
//   H2  A handler of the application's own native code stays, and decides.
//   H3  The first process of a container, which the system does not end, exits with 128 plus the
//       signal number.
//   H4  When the library does not listen for signals any more, signals have the same effect as
//       before it started to listen.
//   H5  The thread that received the signal does not continue in the meantime, unless the end takes
//       long: the thread may hold what the end waits for. If another thread exits, the process
//       still ends by the signal.
//
// Mechanisms: signals_posix.cc. signals_win32.cc has none, because names disappear with their
// processes there. The build files choose.
#pragma once

#include <napi.h>

namespace shmkit {

// Starts to listen for signals: from now on, `end` is called when a signal is about to end the
// process (H1). Calls are counted, and UnhearSignals undoes one of them. Returns false if there is
// no libuv, or if no thread can be started. Then the call has no effect.
bool HearSignals(napi_env env, void (*end)());
void UnhearSignals();
// Waits while a signal is about to end the process, or while the library finds out whether it is.
// Otherwise the caller would end the process first.
void AwaitEndBySignal();
// Stops listening for signals, no matter how often HearSignals was called.
void DeafenToSignals();

}  // namespace shmkit
