#pragma once

#include <asio/async_result.hpp>
#include <optional>
#include <utility>

#include "common/base/check.h"
#include "common/coro/task.h"

namespace gabion {

/// The wait of one coroutine, ended by code of the same loop. The waiter goes on inside Resume(), on its caller's
/// stack: no queue, no lock, no allocation, which is what common/coro's primitives cost for being usable from any
/// thread. So whoever calls Resume() must be ready for anything the waiter does before it suspends again, and looks at
/// its own state anew.
class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  /// Suspends until Resume(). One at a time; not cancellable.
  Task<void> Wait() {
    CHECK(!handler_.has_value());
    auto initiation = [this](Handler handler) { handler_.emplace(std::move(handler)); };
    return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(initiation, asio::use_awaitable);
  }

  bool waiting() const { return handler_.has_value(); }

  /// If nobody waits, nothing happens.
  void Resume() {
    if (!handler_.has_value()) return;
    Handler handler = std::move(*handler_);
    handler_.reset();
    std::move(handler)();
  }

 private:
  using Handler = asio::async_result<asio::use_awaitable_t<>, void()>::handler_type;
  std::optional<Handler> handler_;
};

}  // namespace gabion
