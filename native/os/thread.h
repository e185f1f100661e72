// Contract: a thread that nobody waits for, and this one's sleep.
//
// Not std::thread, whose refusal is an exception: the addon is built without these.
//
// Mechanisms: thread_posix.cc, thread_win32.cc. The build files choose.
#pragma once

#include <cstdint>
#include <functional>

namespace shmkit::os {

// Runs the body in a thread of its own. False when the system gives no thread; then nothing ran.
bool StartThread(std::function<void()> body);

// May end early.
void SleepFor(uint32_t milliseconds);

// Leaves the processor to others for as short a time as the system has.
void Nap();

}  // namespace shmkit::os
