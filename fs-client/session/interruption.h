#pragma once

#include <asio/cancellation_state.hpp>
#include <asio/this_coro.hpp>
#include <memory>

#include "common/coro/async_event.h"
#include "common/coro/task.h"

namespace gabion {

/// Whether the program that waits for this request is being killed (FUSE's INTERRUPT): what has had no effect yet may
/// then end with kCancelled.
inline bool Interrupted(const asio::cancellation_state& state) {
  return state.cancelled() != asio::cancellation_type::none;
}

/// Waits for `event`; false, and sooner, if the request is interrupted.
inline Task<bool> WaitUnlessInterrupted(std::shared_ptr<AsyncEvent> event) {
  asio::cancellation_state before = co_await asio::this_coro::cancellation_state;
  if (Interrupted(before)) co_return false;
  asio::cancellation_slot slot = before.slot();
  if (slot.is_connected()) slot.assign([event](asio::cancellation_type) { event->Set(); });
  co_await event->Wait();
  if (slot.is_connected()) slot.clear();
  asio::cancellation_state after = co_await asio::this_coro::cancellation_state;
  co_return !Interrupted(after);
}

}  // namespace gabion
