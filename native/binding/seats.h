// The locks of one environment (a main thread or a worker), by seat number.
//
// A seat is an environment's use of a LockObject, one per object however many handles there are,
// so that one thread never competes with itself unknowingly; TypeScript counts the handles. A
// thread's environment goes through Leave when it ends, and leaves its held locks to the system
// (AgentThread A3, LockObject L5).
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>
#include <vector>

#include "../core/agent_thread.h"
#include "../core/lock_object.h"

namespace shmkit {

struct Seat {
  LockObject* object;
  bool held;       // by this thread itself
  bool requested;  // of the agent, and not yet collected
  std::shared_ptr<AgentThread> agent;
};

// What agents tell the environment's thread: which seats have an outcome to collect.
class Mailbox {
 public:
  bool Open(napi_env env, napi_value on_grant);
  void Close();
  void Post(uint32_t seat);
  // Keeps the event loop alive while something is expected.
  void Expect(napi_env env);
  void Unexpect(napi_env env);

 private:
  static void Deliver(napi_env env, napi_value callback, void* context, void* data);

  std::mutex mutex_;
  napi_threadsafe_function function_ = nullptr;
  unsigned expected_ = 0;
};

class Seats {
 public:
  static Seats& Of(napi_env env) {
    void* seats = nullptr;
    napi_get_instance_data(env, &seats);
    return *static_cast<Seats*>(seats);
  }

  explicit Seats(napi_env env);
  ~Seats();

  // The array whose first word says which seat the hot calls are about, what agents call, and a
  // function that does nothing.
  void Initialize(int32_t* control, napi_value on_grant, napi_value nothing);

  // The seat of an object, which takes over the caller's reference.
  uint32_t Add(LockObject* object);
  void Close(uint32_t index);
  Seat& At(uint32_t index) { return *seats_[index]; }
  Seat& Current() { return At(static_cast<uint32_t>(*control_)); }

  Acquired Note(Seat& seat, Acquired acquired);
  void NoteRelease(Seat& seat) {
    seat.held = false;
    --held_;
  }
  // Whether JavaScript still runs here: not when the environment is being ended.
  bool Alive();
  bool AtLimit() const { return held_ >= kMostHeld; }

  bool Request(uint32_t index);
  void Unrequest(Seat& seat);

 private:
  // The kernel hands on at most 2048 locks of a thread that dies (ROBUST_LIST_LIMIT).
  static constexpr unsigned kMostHeld = 2000;

  static void Leave(void* seats);

  napi_env const env_;
  int32_t* control_ = nullptr;
  napi_ref on_grant_ = nullptr;
  napi_ref nothing_ = nullptr;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::vector<uint32_t> vacant_;
  std::unordered_map<LockObject*, uint32_t> by_object_;
  unsigned held_ = 0;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  bool mailbox_open_ = false;
};

}  // namespace shmkit
