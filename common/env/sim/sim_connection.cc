#include "common/env/sim/sim_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/checksum.h"
#include "common/coro/resumer.h"

namespace gabion {
namespace {

constexpr std::size_t kFrameOverheadBytes = 64;

std::uint64_t HashOf(std::string_view text) {
  return ChecksumOf(std::as_bytes(std::span(text)));
}

// The receiver's own memory, as after a real wire: no aliasing, and contiguous.
Frame CopyFrame(const Frame& frame) {
  Frame copy = frame;
  MutableBuffer bytes(frame.payload.size());
  frame.payload.CopyTo(bytes.data());
  copy.payload = frame.payload.empty() ? Payload() : Payload(std::move(bytes).Share());
  return copy;
}

}  // namespace

SimConnectionState::SimConnectionState(SimNetwork& network, std::shared_ptr<SimLife> connecting,
                                       std::shared_ptr<SimLife> accepting)
    : network_(network) {
  ends_[0].life = std::move(connecting);
  ends_[1].life = std::move(accepting);
}

Error SimConnectionState::LostError(int side) const {
  return {ErrorCode::kConnectionLost, "connection to " + life(1 - side).machine + " lost"};
}

void SimConnectionState::Wake(std::function<void()>& waiter) {
  if (waiter) std::exchange(waiter, nullptr)();
}

Task<Result<void>> SimConnectionState::Send(int side, std::vector<Frame> frames) {
  auto self = shared_from_this();
  End& end = ends_[Index(side)];
  for (const Frame& frame : frames) {
    CHECK(frame.header.size() <= kMaxHeaderBytes && frame.payload.size() <= kMaxPayloadBytes);
    CHECK(!end.sender);  // one Send at a time
    while (!end.lost && end.bytes_under_way > network_.options().window_bytes) {
      auto wait = [&end](std::function<void()> resume) { end.sender = std::move(resume); };
      co_await SuspendUntilResumed(wait);
    }
    if (end.lost) co_return LostError(side);
    Item item;
    item.frame = CopyFrame(frame);
    item.size = kFrameOverheadBytes + frame.header.size() + frame.payload.size();
    end.bytes_under_way += item.size;
    Put(side, std::move(item));
  }
  if (end.lost) co_return LostError(side);
  co_return Result<void>();
}

Task<Result<Frame>> SimConnectionState::Receive(int side) {
  auto self = shared_from_this();
  End& end = ends_[Index(side)];
  CHECK(!end.receiver);  // one Receive at a time
  while (!end.lost && end.inbox.empty()) {
    auto wait = [&end](std::function<void()> resume) { end.receiver = std::move(resume); };
    co_await SuspendUntilResumed(wait);
  }
  if (end.lost) co_return LostError(side);
  Item item = std::move(end.inbox.front());
  end.inbox.pop_front();
  if (item.is_end) {
    Lose(side);
    co_return LostError(side);
  }
  End& other = ends_[Index(1 - side)];
  other.bytes_under_way -= item.size;
  Wake(other.sender);
  co_return std::move(item.frame);
}

void SimConnectionState::Put(int side, Item item) {
  End& end = ends_[Index(side)];
  if (end.held.empty() && network_.Passes(life(side).machine, life(1 - side).machine)) {
    Launch(side, std::move(item));
    return;
  }
  end.held.push_back(std::move(item));
  if (end.held.size() > 1) return;
  const TimePoint since = network_.scheduler().Now();
  end.held_since = since;
  network_.scheduler().After(network_.options().stalled_send_timeout, [weak = weak_from_this(), side, since] {
    auto self = weak.lock();
    if (!self) return;
    const End& stalled = self->ends_[Index(side)];
    if (!stalled.held.empty() && stalled.held_since == since) self->Lose(side);
  });
}

void SimConnectionState::Launch(int side, Item item) {
  End& end = ends_[Index(side)];
  const SimNetworkOptions& options = network_.options();
  const Duration on_wire(static_cast<std::int64_t>(item.size * 1'000'000'000 / options.bytes_per_second));
  TimePoint& arrival = end.last_arrival;
  arrival = std::max({arrival, end.stranded_until, network_.scheduler().Now() + network_.DrawDelay()}) + on_wire;
  auto shared = std::make_shared<Item>(std::move(item));
  network_.scheduler().At(arrival,
                          [self = shared_from_this(), side, shared] { self->Arrive(1 - side, std::move(*shared)); });
}

void SimConnectionState::Arrive(int side, Item item) {
  End& end = ends_[Index(side)];
  SimScheduler& scheduler = network_.scheduler();
  if (const TimePoint until = ends_[Index(1 - side)].stranded_until; scheduler.Now() < until) {
    auto shared = std::make_shared<Item>(std::move(item));
    scheduler.At(until, [self = shared_from_this(), side, shared] { self->Arrive(side, std::move(*shared)); });
    return;
  }
  const Frame& frame = item.frame;
  scheduler.Trace(fmt::format("{}->{} {} kind={} method={} status={} request={} header={:x} payload={:x}",
                              life(1 - side).machine, life(side).machine, item.is_end ? "end" : "frame",
                              static_cast<int>(frame.kind), frame.method, static_cast<int>(frame.status),
                              frame.request_id, HashOf(frame.header), ChecksumOf(frame.payload.Joined().span())));
  if (end.lost) {
    // Nobody reads here any more: the host answers with a reset, if that gets through.
    const bool passes = network_.Passes(life(side).machine, life(1 - side).machine);
    const Duration delay = passes ? network_.DrawDelay() : network_.options().stalled_send_timeout;
    if (!item.is_end) scheduler.After(delay, [self = shared_from_this(), side] { self->Lose(1 - side); });
    return;
  }
  end.inbox.push_back(std::move(item));
  Wake(end.receiver);
}

void SimConnectionState::Lose(int side) {
  End& end = ends_[Index(side)];
  if (end.lost) return;
  end.lost = true;
  end.inbox.clear();
  end.held.clear();
  Wake(end.receiver);
  Wake(end.sender);
  // Whoever waits for this end to read will wait in vain.
  Wake(ends_[Index(1 - side)].sender);
}

void SimConnectionState::Close(int side) {
  End& end = ends_[Index(side)];
  if (end.lost) return;
  std::deque<Item> held = std::move(end.held);
  Lose(side);
  end.held = std::move(held);  // the kernel goes on sending
  Item last;
  last.is_end = true;
  Put(side, std::move(last));
}

void SimConnectionState::Strand(int side, Duration late) {
  if (ends_[Index(side)].lost) return;
  ends_[Index(side)].stranded_until = network_.scheduler().Now() + late;
  Close(side);
}

void SimConnectionState::Vanish(int side) {
  if (ends_[Index(side)].vanished) return;
  ends_[Index(side)].vanished = true;
  Lose(side);
  network_.scheduler().After(network_.options().dead_peer_timeout, [weak = weak_from_this(), side] {
    if (auto self = weak.lock()) self->Lose(1 - side);
  });
}

void SimConnectionState::Reset() {
  Lose(0);
  Lose(1);
}

void SimConnectionState::Unblocked() {
  for (int side : {0, 1}) {
    End& end = ends_[Index(side)];
    if (!network_.Passes(life(side).machine, life(1 - side).machine)) continue;
    while (!end.held.empty()) {
      Item item = std::move(end.held.front());
      end.held.pop_front();
      Launch(side, std::move(item));
    }
  }
}

void SimConnectionState::DropWaiters() {
  for (End& end : ends_) {
    // Moved out first: destroying a coroutine may close this connection.
    const auto receiver = std::exchange(end.receiver, nullptr);
    const auto sender = std::exchange(end.sender, nullptr);
  }
}

SimConnection::~SimConnection() {
  if (state_) state_->Close(side_);
}

Task<Result<void>> SimConnection::Send(std::vector<Frame> frames) {
  return state_->Send(side_, std::move(frames));
}

Task<Result<Frame>> SimConnection::Receive() {
  return state_->Receive(side_);
}

void SimConnection::Close() {
  state_->Close(side_);
}

std::string SimConnection::peer() const {
  return state_->life(1 - side_).machine;
}

std::unique_ptr<Connection> SimConnection::MoveTo(Executor) {
  return std::make_unique<SimConnection>(std::move(state_), side_);
}

}  // namespace gabion
