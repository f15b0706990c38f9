#include "common/rpc/rpc_server.h"

#include <asio/co_spawn.hpp>
#include <asio/post.hpp>
#include <utility>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/scope_exit.h"
#include "common/rpc/handshake.h"
#include "common/rpc/loop_choice.h"
#include "common/rpc/server_session.h"

namespace gabion {
namespace {

// Whoever connects has this long to say hello.
constexpr Duration kHelloLimit = std::chrono::seconds(5);
// Those that have not said it yet; one more is turned away, so that silent connections cannot use up memory and
// descriptors.
constexpr std::size_t kMaxUngreeted = 256;

std::vector<int> CpusOf(const std::vector<Env*>& loops) {
  std::vector<int> cpus;
  for (const Env* loop : loops) cpus.push_back(loop->cpu);
  return cpus;
}

}  // namespace

class RpcServer::Impl {
 public:
  Impl(const std::vector<Env*>& loops, Identity identity)
      : identity_(std::move(identity)), choice_(CpusOf(loops), identity_.host_id) {
    CHECK(!loops.empty());
    for (Env* env : loops) loops_.push_back(std::make_unique<ServerLoop>(*env));
  }

  void Handle(proto::Method method, Handler handler) {
    CHECK(listener_ == nullptr);
    methods_.Set(method, std::move(handler));
  }

  static Result<void> Start(const std::shared_ptr<Impl>& self, Endpoint endpoint);
  static Task<void> HangUp(std::shared_ptr<Impl> self, proto::Role role);
  static Task<void> Stop(std::shared_ptr<Impl> self);
  Endpoint endpoint() const {
    CHECK(listener_ != nullptr);
    return listener_->endpoint();
  }

 private:
  static Task<void> AcceptAll(std::shared_ptr<Impl> self);
  static Task<void> Greet(std::shared_ptr<Impl> self, std::unique_ptr<Connection> connection);
  static Task<void> Refuse(ServerLoop& loop, Connection& connection, Error error);
  static Task<void> EndLoop(ServerLoop& loop, Listener* listener);
  static Task<void> HangUpLoop(ServerLoop& loop, proto::Role role);
  template <typename Predicate>
  static void CloseThose(ServerLoop& loop, Predicate predicate);
  void HandOver(std::unique_ptr<Connection> connection, Greeting greeting);

  const Identity identity_;
  MethodTable methods_;
  std::vector<std::unique_ptr<ServerLoop>> loops_;  // the first one accepts and greets
  LoopChoice choice_;
  std::unique_ptr<Listener> listener_;
  std::size_t ungreeted_ = 0;
};

Result<void> RpcServer::Impl::Start(const std::shared_ptr<Impl>& self, Endpoint endpoint) {
  CHECK(self->listener_ == nullptr);
  ServerLoop& first = *self->loops_.front();
  TRY_ASSIGN(self->listener_, first.env.transport.Listen(std::move(endpoint)));
  first.tasks.Spawn(first.env.executor, AcceptAll(self));
  return {};
}

Task<void> RpcServer::Impl::AcceptAll(std::shared_ptr<Impl> self) {
  ServerLoop& loop = *self->loops_.front();
  for (;;) {
    Result<std::unique_ptr<Connection>> accepted = co_await self->listener_->Accept();
    if (!accepted) {
      if (accepted.error().code() != ErrorCode::kCancelled)
        LogError("no longer accepting: {}", accepted.error().message());
      co_return;
    }
    if (self->ungreeted_ >= kMaxUngreeted) {
      LogWarning("turning {} away: {} connections have not said hello yet", (*accepted)->peer(), self->ungreeted_);
      continue;
    }
    ++self->ungreeted_;
    loop.tasks.Spawn(loop.env.executor, Greet(self, std::move(*accepted)));
  }
}

Task<void> RpcServer::Impl::Greet(std::shared_ptr<Impl> self, std::unique_ptr<Connection> connection) {
  ScopeExit leave([&self] { --self->ungreeted_; });
  ServerLoop& loop = *self->loops_.front();
  if (loop.stopping) co_return;
  const std::uint64_t key = loop.next_key++;
  loop.open.emplace(key, ServerLoop::Open{connection.get()});
  std::vector<Frame> nothing;
  Result<Frame> frame =
      co_await ExchangeBefore(loop.env, *connection, std::move(nothing), loop.env.clock.Now() + kHelloLimit);
  Result<Greeting> greeting = frame ? ReadHello(*frame) : Result<Greeting>(frame.error());
  if (!greeting) {
    Error error = greeting.error();
    co_await Refuse(loop, *connection, std::move(error));
  }
  loop.open.erase(key);
  if (greeting && !loop.stopping) self->HandOver(std::move(connection), std::move(*greeting));
}

/// A caller that at least speaks the protocol hears why.
Task<void> RpcServer::Impl::Refuse(ServerLoop& loop, Connection& connection, Error error) {
  if (error.code() != ErrorCode::kConnectionLost) {  // which is a port scan, or a load balancer's check
    LogWarning("refusing the connection of {}: {}", connection.peer(), error.message());
  }
  if (error.code() == ErrorCode::kVersionMismatch) {
    std::vector<Frame> frames;
    frames.push_back(MakeHelloRefusal(error));
    // Then until it closes: closing first could destroy the answer on its way.
    Result<Frame> ignored =
        co_await ExchangeBefore(loop.env, connection, std::move(frames), loop.env.clock.Now() + kHelloLimit);
  }
  connection.Close();
}

void RpcServer::Impl::HandOver(std::unique_ptr<Connection> connection, Greeting greeting) {
  ServerLoop& target = *loops_[choice_.Choose(greeting)];
  if (&target != loops_.front().get()) connection = connection->MoveTo(target.env.executor);
  Frame reply = MakeHelloReply(identity_, greeting.version);
  auto session = std::make_shared<ServerSession>(methods_, target, std::move(connection), std::move(greeting));
  target.tasks.Spawn(target.env.executor, ServerSession::Run(std::move(session), std::move(reply)));
}

/// Runs on the loop itself.
Task<void> RpcServer::Impl::EndLoop(ServerLoop& loop, Listener* listener) {
  loop.stopping = true;
  if (listener != nullptr) listener->Close();
  CloseThose(loop, [](const ServerLoop::Open&) { return true; });
  co_return;
}

/// On the loop.
template <typename Predicate>
void RpcServer::Impl::CloseThose(ServerLoop& loop, Predicate predicate) {
  // Closing may end a session within the call, which takes it out of the map.
  std::vector<std::uint64_t> keys;
  for (const auto& [key, open] : loop.open) {
    if (predicate(open)) keys.push_back(key);
  }
  for (std::uint64_t key : keys) {
    if (auto found = loop.open.find(key); found != loop.open.end()) found->second.connection->Close();
  }
}

/// Runs on the loop itself.
Task<void> RpcServer::Impl::HangUpLoop(ServerLoop& loop, proto::Role role) {
  CloseThose(loop, [role](const ServerLoop::Open& open) { return open.role == role; });
  // Behind the requests that were read and have not begun.
  co_await asio::post(loop.env.executor, asio::use_awaitable);
}

Task<void> RpcServer::Impl::HangUp(std::shared_ptr<Impl> self, proto::Role role) {
  for (const std::unique_ptr<ServerLoop>& loop : self->loops_) {
    Task<void> hang_up = HangUpLoop(*loop, role);
    co_await asio::co_spawn(loop->env.executor, std::move(hang_up), asio::use_awaitable);
  }
}

Task<void> RpcServer::Impl::Stop(std::shared_ptr<Impl> self) {
  for (std::size_t i = 0; i < self->loops_.size(); ++i) {
    ServerLoop& loop = *self->loops_[i];
    Listener* listener = i == 0 ? self->listener_.get() : nullptr;
    Task<void> end = EndLoop(loop, listener);
    co_await asio::co_spawn(loop.env.executor, std::move(end), asio::use_awaitable);
    // The first loop first: it hands connections over to the others.
    co_await loop.tasks.Join();
  }
}

RpcServer::RpcServer(std::vector<Env*> loops, Identity identity)
    : impl_(std::make_shared<Impl>(loops, std::move(identity))) {}

RpcServer::~RpcServer() = default;

void RpcServer::Handle(proto::Method method, Handler handler) {
  impl_->Handle(method, std::move(handler));
}

Result<void> RpcServer::Start(Endpoint endpoint) {
  return Impl::Start(impl_, std::move(endpoint));
}

Endpoint RpcServer::endpoint() const {
  return impl_->endpoint();
}

Task<void> RpcServer::HangUp(proto::Role role) {
  return Impl::HangUp(impl_, role);
}

Task<void> RpcServer::Stop() {
  return Impl::Stop(impl_);
}

}  // namespace gabion
