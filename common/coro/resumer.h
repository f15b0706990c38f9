#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/post.hpp>
#include <functional>
#include <memory>
#include <utility>

#include "common/coro/task.h"

namespace gabion {

/// Turns "somebody calls this function later" into an awaitable: `start(resume)` gets a copyable function that any
/// thread may call once; the coroutine then goes on, through its own executor's queue. Not cancellable: whoever gets
/// `resume` owes the call.
template <typename Start>
Task<void> SuspendUntilResumed(Start start) {
  Executor executor = co_await asio::this_coro::executor;
  auto initiation = [&start, &executor](auto handler) {
    // Handlers are move-only; the function that is passed around must be copyable.
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    start(std::function<void()>([shared, executor] { asio::post(executor, [shared] { std::move (*shared)(); }); }));
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiation, asio::use_awaitable);
}

}  // namespace gabion
