// Shared by the threads that wait on behalf of others (AgentThread, AlarmThread, WatchThread).
#pragma once

namespace shmkit {

// How soon a thread that sleeps at a word notices that it is not wanted any more, at the latest
// (V2).
constexpr double kWatchSliceMs = 5000;

// How soon a thread that sleeps in a lock notices that it is not wanted any more (A4), or that the
// object has ended (SharedObject L6). The longer it has slept, the longer that may take, because
// many such threads would keep a processor busy otherwise.
class Slices {
 public:
  void Restart() { milliseconds_ = kShortestMs; }
  // The length of the next one, in milliseconds.
  double Next() {
    const double slice = milliseconds_;
    milliseconds_ = slice * 2 < kLongestMs ? slice * 2 : kLongestMs;
    return slice;
  }

 private:
  static constexpr double kShortestMs = 250;
  static constexpr double kLongestMs = 2000;

  double milliseconds_ = kShortestMs;
};

// How long a thread with nothing to do waits for a new request before it ends.
constexpr double kIdleLingerMs = 2000;

}  // namespace shmkit
