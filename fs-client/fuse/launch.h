#pragma once

#include <asio/awaitable.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_state.hpp>

#include "common/coro/task.h"

namespace gabion::fuse {

/// A coroutine that is the bottom of its own stack, as asio::co_spawn makes them, and that starts when it is launched.
/// Its body ends with co_return, awaits Tasks, and must not throw.
using RequestTask = asio::awaitable<asio::detail::awaitable_thread_entry_point, Executor>;

/// Runs `task` on this thread up to its first suspension before it returns; it goes on on `executor`, whose loop this
/// thread is. `slot` cancels it: an operation that waits may then end early; nothing is thrown.
///
/// Why not co_spawn: it starts through the executor's queue when it is not called from one of its handlers, and a
/// WRITE's data is in the transport's memory only until the channel goes on; it also makes two frames more for each
/// request.
void Launch(const Executor& executor, asio::cancellation_slot slot, RequestTask task);

}  // namespace gabion::fuse
