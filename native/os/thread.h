// Contract: a thread that nobody waits for.
//
// Not std::thread, whose refusal is an exception: the addon is built without these.
//
// Mechanisms: thread_posix.cc, thread_win32.cc. The build files choose.
#pragma once

#include <functional>

namespace shmkit::os {

// Runs the body in a thread of its own. False when the system gives no thread; then nothing ran.
bool StartThread(std::function<void()> body);

}  // namespace shmkit::os
