// Counts a thread among the waiters of a word for as long as it waits.
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
