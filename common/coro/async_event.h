#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "common/coro/task.h"

namespace gabion {

/// Lets coroutines wait until somebody says go. Any thread; a waiter goes on on its own executor. Set() stays set until
/// Reset(); NotifyAll() wakes those who wait now and leaves the state. Waiters must not outlive the event.
class AsyncEvent {
 public:
  AsyncEvent() = default;
  AsyncEvent(const AsyncEvent&) = delete;
  AsyncEvent& operator=(const AsyncEvent&) = delete;

  /// Returns at once if set.
  Task<void> Wait();

  void Set();
  void Reset();
  void NotifyAll();

 private:
  std::mutex mutex_;
  bool set_ = false;
  std::vector<std::function<void()>> waiters_;
};

}  // namespace gabion
