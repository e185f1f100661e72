// Shared by the threads that wait on behalf of others (AgentThread, AlarmThread, WatchThread).
#pragma once

namespace shmkit {

// How soon a thread that sleeps in a lock or at a word notices that it is not wanted any more (A4,
// V2).
constexpr double kSliceMs = 250;

// How long a thread with nothing to do waits for a new request before it ends.
constexpr double kIdleLingerMs = 2000;

}  // namespace shmkit
