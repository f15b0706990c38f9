#include "common/env/sim/sim_scheduler.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/post.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "common/base/check.h"

namespace gabion {

SimScheduler::SimScheduler(std::uint64_t seed)
    : seed_(seed),
      random_(DeriveSeed(seed, "world")),
      buggify_(seed),
      prints_trace_(std::getenv("GABION_SIM_TRACE") != nullptr) {}

void SimScheduler::DropEvents() {
  // Dropping an event may destroy a coroutine, whose locals may ask for another event.
  ending_ = true;
  while (!events_.empty()) events_.extract(events_.begin());
}

SimScheduler::EventId SimScheduler::At(TimePoint when, std::function<void()> action) {
  const EventId id{std::max(when, now_).ns, next_sequence_++};
  if (!ending_) events_.emplace(id, std::move(action));
  return id;
}

void SimScheduler::RunEarly(EventId id) {
  auto node = events_.extract(id);
  if (!node.empty()) node.mapped()();
}

Task<void> SimScheduler::SleepUntil(TimePoint when) {
  Executor executor = co_await asio::this_coro::executor;
  auto initiation = [this, when, &executor](auto handler) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    const EventId id = At(when, [shared, executor] { asio::post(executor, [shared] { std::move (*shared)(); }); });
    // The slot belongs to the coroutine: it must not own the handler, which owns the coroutine.
    if (slot.is_connected()) {
      slot.assign([this, id](asio::cancellation_type type) {
        if (type != asio::cancellation_type::none) RunEarly(id);
      });
    }
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiation, asio::use_awaitable);
}

std::optional<TimePoint> SimScheduler::NextEvent() const {
  if (events_.empty()) return std::nullopt;
  return TimePoint{events_.begin()->first.first};
}

void SimScheduler::RunNext() {
  CHECK(!events_.empty());
  auto node = events_.extract(events_.begin());
  now_ = TimePoint{node.key().first};
  node.mapped()();
}

void SimScheduler::JumpTo(TimePoint when) {
  CHECK(events_.empty() || when.ns <= events_.begin()->first.first);
  now_ = std::max(now_, when);
}

void SimScheduler::Trace(std::string_view what) {
  trace_hash_ = XXH3_64bits_withSeed(what.data(), what.size(), trace_hash_ ^ static_cast<std::uint64_t>(now_.ns));
  if (prints_trace_) fmt::print(stderr, "{:>14} {:016x} {}\n", now_.ns, trace_hash_, what);
}

}  // namespace gabion
