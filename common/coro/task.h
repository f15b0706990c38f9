#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>

namespace gabion {

/// A coroutine. It runs on the executor it was spawned on (an event loop) and is started by being awaited or spawned
/// (common/coro/task_group.h). Parameters are taken by value: a reference may be dead after the first suspension.
/// GCC 12 mishandles temporaries and initialiser lists inside `co_await` expressions: name them first.
template <typename T>
using Task = asio::awaitable<T>;

using Executor = asio::any_io_executor;

}  // namespace gabion
