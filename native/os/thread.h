// Contract: a detached thread, sleeping, making way for other threads, and how many threads can run
// at the same time.
//
// This is not std::thread, because std::thread throws an exception if no thread can be started, and
// the addon is built without exceptions.
//
// Mechanisms: thread_posix.cc, thread_win32.cc. The build files choose.
#pragma once

#include <cstdint>
#include <functional>

namespace shmkit::os {

// Runs the body in a thread of its own. Returns false if the system cannot start a thread; then
// nothing runs.
bool StartThread(std::function<void()> body);

// Sleeps for that time, or for less if a signal comes.
void SleepFor(uint32_t milliseconds);

// Gives the processor to other threads for the shortest time that the system offers.
void Nap();

// Lets another thread run on this processor, if one is ready. Returns at once otherwise.
void MakeWay();

// The number of processors that this thread may use, at least 1.
unsigned Processors();

}  // namespace shmkit::os
