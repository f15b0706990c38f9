#include "common/rpc/cancellable_sleep.h"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/system_error.hpp>
#include <utility>

namespace gabion {

Task<void> CancellableSleep::Until(Env& env, TimePoint deadline) {
  if (!cancel_) {
    try {
      // A coroutine of its own, because cancellation is a property of a whole coroutine stack.
      auto token = asio::bind_cancellation_slot(signal_.slot(), asio::use_awaitable);
      co_await asio::co_spawn(env.executor, env.clock.SleepUntil(deadline), token);
    } catch (const asio::system_error&) {
      // Asio's way of saying that it was cancelled before the sleep began.
    }
  }
  was_cancelled_ = std::exchange(cancel_, false);
}

void CancellableSleep::Cancel() {
  cancel_ = true;
  signal_.emit(asio::cancellation_type::terminal);
}

}  // namespace gabion
