#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "common/coro/async_event.h"

namespace gabion {

/// Coroutines that wait for a state guarded by somebody's mutex to change. Under that mutex a waiter looks at the state
/// and, if it is not to its liking, takes an event here; after unlocking it awaits the event and looks again. So no
/// wake-up is missed, and no lock is held while waiting.
class WaitList {
 public:
  using Waiters = std::vector<std::shared_ptr<AsyncEvent>>;

  std::shared_ptr<AsyncEvent> Add() {
    waiters_.push_back(std::make_shared<AsyncEvent>());
    return waiters_.back();
  }
  /// Whom to wake, after unlocking.
  Waiters TakeAll() { return std::exchange(waiters_, {}); }

  static void Wake(const Waiters& waiters) {
    for (const auto& waiter : waiters) waiter->Set();
  }

 private:
  Waiters waiters_;
};

}  // namespace gabion
