#include "common/env/real/asio_clock.h"

#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>

namespace gabion {

TimePoint AsioClock::Now() const {
  auto since_epoch = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<Duration>(since_epoch).count()};
}

std::int64_t AsioClock::WallNowNs() const {
  auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Duration>(since_epoch).count();
}

Task<void> AsioClock::SleepUntil(TimePoint deadline) {
  if (deadline <= Now()) co_return;
  Executor executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, std::chrono::steady_clock::time_point(Duration(deadline.ns)));
  asio::error_code cancelled;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

}  // namespace gabion
