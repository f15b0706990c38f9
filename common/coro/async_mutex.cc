#include "common/coro/async_mutex.h"

#include "common/base/check.h"
#include "common/coro/resumer.h"

namespace gabion {

Task<AsyncMutex::Guard> AsyncMutex::Lock() {
  {
    std::lock_guard lock(mutex_);
    if (!locked_) {
      locked_ = true;
      co_return Guard(this);
    }
  }
  auto enqueue = [this](std::function<void()> resume) {
    {
      std::lock_guard lock(mutex_);
      if (locked_) {
        waiters_.push_back(std::move(resume));
        return;
      }
      locked_ = true;
    }
    resume();  // unlocked in between
  };
  co_await SuspendUntilResumed(enqueue);
  co_return Guard(this);
}

void AsyncMutex::Unlock() {
  std::function<void()> next;
  {
    std::lock_guard lock(mutex_);
    CHECK(locked_);
    if (waiters_.empty()) {
      locked_ = false;
      return;
    }
    next = std::move(waiters_.front());
    waiters_.pop_front();
  }
  next();
}

}  // namespace gabion
