#include "common/coro/async_event.h"

#include <utility>

#include "common/coro/resumer.h"

namespace gabion {

Task<void> AsyncEvent::Wait() {
  {
    std::lock_guard lock(mutex_);
    if (set_) co_return;
  }
  auto enqueue = [this](std::function<void()> resume) {
    {
      std::lock_guard lock(mutex_);
      if (!set_) {
        waiters_.push_back(std::move(resume));
        return;
      }
    }
    resume();  // set in between
  };
  co_await SuspendUntilResumed(enqueue);
}

void AsyncEvent::Set() {
  std::vector<std::function<void()>> woken;
  {
    std::lock_guard lock(mutex_);
    set_ = true;
    woken.swap(waiters_);
  }
  for (auto& resume : woken) resume();
}

void AsyncEvent::Reset() {
  std::lock_guard lock(mutex_);
  set_ = false;
}

void AsyncEvent::NotifyAll() {
  std::vector<std::function<void()>> woken;
  {
    std::lock_guard lock(mutex_);
    woken.swap(waiters_);
  }
  for (auto& resume : woken) resume();
}

}  // namespace gabion
