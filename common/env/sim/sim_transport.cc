#include "common/env/sim/sim_transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/coro/resumer.h"

namespace gabion {
namespace {

constexpr Duration kSynRetry = std::chrono::milliseconds(200);

std::string TextOf(const Endpoint& endpoint) {
  return fmt::format("{}:{}", endpoint.host, endpoint.port);
}

class SimListener final : public Listener {
 public:
  explicit SimListener(std::shared_ptr<SimListenerState> state) : state_(std::move(state)) {}
  ~SimListener() override { state_->Close(); }

  Task<Result<std::unique_ptr<Connection>>> Accept() override { return state_->Accept(); }
  void Close() override { state_->Close(); }
  Endpoint endpoint() const override { return state_->endpoint(); }

 private:
  std::shared_ptr<SimListenerState> state_;
};

}  // namespace

bool SimListenerState::Offer(std::unique_ptr<Connection> connection) {
  if (closed_ || backlog_.size() >= kBacklog) return false;
  backlog_.push_back(std::move(connection));
  if (acceptor_) std::exchange(acceptor_, nullptr)();
  return true;
}

Task<Result<std::unique_ptr<Connection>>> SimListenerState::Accept() {
  auto self = shared_from_this();
  CHECK(!acceptor_);  // one Accept at a time
  while (!closed_ && backlog_.empty()) {
    auto wait = [this](std::function<void()> resume) { acceptor_ = std::move(resume); };
    co_await SuspendUntilResumed(wait);
  }
  if (closed_) co_return Error(ErrorCode::kCancelled, "listener on " + TextOf(endpoint_) + " closed");
  std::unique_ptr<Connection> connection = std::move(backlog_.front());
  backlog_.pop_front();
  co_return std::move(connection);
}

void SimListenerState::Close() {
  if (closed_) return;
  closed_ = true;
  network_.RemoveListener(endpoint_);
  backlog_.clear();
  if (acceptor_) std::exchange(acceptor_, nullptr)();
}

std::string SimTransport::Resolve(const std::string& host) const {
  const bool is_own = host == "127.0.0.1" || host == "localhost" || host == "0.0.0.0" || host == "::1";
  return is_own ? life_->machine : host;
}

Task<Result<std::unique_ptr<Connection>>> SimTransport::Connect(Endpoint endpoint, TimePoint deadline) {
  SimScheduler& scheduler = network_.scheduler();
  const std::string text = TextOf(endpoint);
  endpoint.host = Resolve(endpoint.host);
  const Duration there = network_.DrawDelay();
  const Duration back = network_.DrawDelay();
  const Duration patience = std::max(deadline - clock_.Now(), Duration(0));
  const TimePoint give_up = scheduler.Now() + patience;
  if (!life_->alive || !network_.HasMachine(endpoint.host)) {
    co_await scheduler.SleepUntil(std::min(give_up, scheduler.Now() + there));
    co_return Error(ErrorCode::kUnavailable,
                    "cannot connect to " + text + (life_->alive ? ": unknown host" : ": process killed"));
  }
  co_await scheduler.SleepUntil(std::min(give_up, scheduler.Now() + there));
  while (!network_.Passes(life_->machine, endpoint.host) || !network_.Passes(endpoint.host, life_->machine)) {
    if (scheduler.Now() >= give_up) break;
    co_await scheduler.SleepUntil(std::min(give_up, scheduler.Now() + kSynRetry));
  }
  if (scheduler.Now() >= give_up) co_return Error(ErrorCode::kDeadlineExceeded, "no answer from " + text);

  std::shared_ptr<SimListenerState> listener = network_.FindListener(endpoint);
  std::unique_ptr<Connection> ours;
  if (listener && life_->alive) {
    auto state = std::make_shared<SimConnectionState>(network_, life_, listener->shared_life());
    if (listener->Offer(std::make_unique<SimConnection>(state, 1))) {
      network_.AddConnection(state);
      ours = std::make_unique<SimConnection>(state, 0);
    } else {
      state->Close(1);
    }
  }
  listener.reset();
  co_await scheduler.SleepUntil(std::min(give_up, scheduler.Now() + back));
  if (!ours) co_return Error(ErrorCode::kUnavailable, "cannot connect to " + text + ": connection refused");
  if (scheduler.Now() >= give_up) co_return Error(ErrorCode::kDeadlineExceeded, "no answer from " + text);
  co_return std::move(ours);
}

Result<std::unique_ptr<Listener>> SimTransport::Listen(Endpoint endpoint) {
  const std::string text = TextOf(endpoint);
  endpoint.host = Resolve(endpoint.host);
  if (!life_->alive) return Error(ErrorCode::kUnavailable, "cannot listen on " + text + ": process killed");
  if (endpoint.host != life_->machine) {
    return Error(ErrorCode::kInvalidArgument, "cannot listen on " + text + ": not an address of " + life_->machine);
  }
  if (endpoint.port == 0) endpoint.port = network_.FreePort(endpoint.host);
  if (network_.FindListener(endpoint)) return Error(ErrorCode::kBusy, "cannot listen on " + text + ": port in use");
  auto state = std::make_shared<SimListenerState>(network_, life_, endpoint);
  network_.AddListener(endpoint, state);
  std::unique_ptr<Listener> listener = std::make_unique<SimListener>(std::move(state));
  return listener;
}

}  // namespace gabion
