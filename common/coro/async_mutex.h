#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <utility>

#include "common/coro/task.h"

namespace gabion {

/// A mutex to hold across suspensions. First come, first served; coroutines of any thread; a waiter goes on on its own
/// executor. Without a competitor Lock() does not suspend. Outlives its guards and waiters.
class AsyncMutex {
 public:
  /// Unlocks when it goes.
  class [[nodiscard]] Guard {
   public:
    Guard() = default;
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Guard& operator=(Guard&& other) noexcept {
      std::swap(mutex_, other.mutex_);
      return *this;
    }
    ~Guard() {
      if (mutex_ != nullptr) mutex_->Unlock();
    }

   private:
    friend class AsyncMutex;
    explicit Guard(AsyncMutex* mutex) : mutex_(mutex) {}
    AsyncMutex* mutex_ = nullptr;
  };

  AsyncMutex() = default;
  AsyncMutex(const AsyncMutex&) = delete;
  AsyncMutex& operator=(const AsyncMutex&) = delete;

  Task<Guard> Lock();

 private:
  void Unlock();

  std::mutex mutex_;
  bool locked_ = false;
  std::deque<std::function<void()>> waiters_;  // the lock is handed to the first one, never freed in between
};

}  // namespace gabion
