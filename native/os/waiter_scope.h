// Counts a thread as a waiter of a word while it waits.
#pragma once

#include "waiter.h"

namespace shmkit::os {

class WaiterScope {
 public:
  explicit WaiterScope(WaitWord& word) : word_(word) { word_.waiters.fetch_add(1); }
  ~WaiterScope() { word_.waiters.fetch_sub(1); }
  WaiterScope(const WaiterScope&) = delete;
  WaiterScope& operator=(const WaiterScope&) = delete;

 private:
  WaitWord& word_;
};

}  // namespace shmkit::os
