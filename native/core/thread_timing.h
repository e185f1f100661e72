// Shared by the threads that wait on behalf of others (AgentThread, AlarmThread, WatchThread).
#pragma once

namespace shmkit {

// How soon a thread that sleeps in a lock or at a word notices that it is not wanted any more, at
// the latest (A4, V2). Many such threads would keep a processor busy if they looked more often.
constexpr double kLongestSliceMs = 8000;

// The longer a thread has slept, the longer it sleeps before it looks again.
class Slices {
 public:
  void Restart() { milliseconds_ = kShortestMs; }
  // The length of the next one, in milliseconds.
  double Next() {
    const double slice = milliseconds_;
    milliseconds_ = slice * 2 < kLongestSliceMs ? slice * 2 : kLongestSliceMs;
    return slice;
  }

 private:
  static constexpr double kShortestMs = 250;

  double milliseconds_ = kShortestMs;
};

// How long a thread with nothing to do waits for a new request before it ends.
constexpr double kIdleLingerMs = 2000;

}  // namespace shmkit
