// What the threads have in common that wait on behalf of others (AgentThread, AlarmThread,
// WatchThread).
#pragma once

namespace shmkit {

// How soon one that is asleep in a lock or at a word sees that it is not wanted any more (A4, V2).
constexpr double kSliceMs = 250;

// How long one stays that has nothing to do.
constexpr double kIdleLingerMs = 2000;

}  // namespace shmkit
