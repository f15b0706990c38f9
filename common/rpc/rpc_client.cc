#include "common/rpc/rpc_client.h"

#include <fmt/format.h>

#include <asio/post.hpp>
#include <optional>
#include <utility>

#include "common/base/log.h"
#include "common/base/scope_exit.h"
#include "common/coro/task_group.h"
#include "common/rpc/backoff.h"
#include "common/rpc/call_table.h"
#include "common/rpc/cancellable_sleep.h"
#include "common/rpc/error_frame.h"
#include "common/rpc/frame_codec.h"
#include "common/rpc/handshake.h"
#include "common/rpc/waiter.h"

namespace gabion {
namespace {

// 3 s: a lost SYN is sent again after 1 s, so two may be lost.
constexpr Duration kConnectLimit = std::chrono::seconds(3);
constexpr Duration kBackoffFirst = std::chrono::milliseconds(10);
constexpr Duration kBackoffLongest = std::chrono::seconds(1);
// A deadline that passes this much before the sweeper's next round is not worth waking it for.
constexpr Duration kSweepSlack = std::chrono::milliseconds(5);
// What one Send may carry: enough to keep the socket full, little enough that a reply is not kept waiting behind it.
constexpr std::size_t kMaxFramesPerSend = 256;
constexpr std::size_t kMaxBytesPerSend = 4 * 1024 * 1024;

/// Trying again at once cannot help: the other side is there and does not want us.
bool IsRefusal(ErrorCode code) {
  return !IsRetryable(code);
}

}  // namespace

/// Four coroutines at most: Maintain connects and reads the replies, Write sends, Sweep enforces deadlines, and each
/// caller is one of its own. All run on one loop, and a reply resumes its caller from within the reader.
class RpcClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Env& env, Endpoint endpoint, Identity identity)
      : env_(env), endpoint_(std::move(endpoint)), identity_(std::move(identity)) {}

  static Task<Result<RpcReply>> Call(std::shared_ptr<Impl> self, proto::Method method, std::string header,
                                     Payload payload, TimePoint deadline);
  static Task<void> Stop(std::shared_ptr<Impl> self);

  std::uint64_t connection_count() const { return connection_count_; }
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  static Task<void> Maintain(std::shared_ptr<Impl> self);
  static Task<void> Write(std::shared_ptr<Impl> self);
  static Task<void> Sweep(std::shared_ptr<Impl> self);

  Task<Result<std::unique_ptr<Connection>>> Greet();
  Task<void> Serve(std::unique_ptr<Connection> connection);
  Task<Error> ReadReplies();

  Result<void> Admit(const PendingCall& call) const;
  void Kick();
  void WakeWriter();
  void WatchDeadline(TimePoint deadline);
  void NoteFailure(const Error& error);
  void Finish(PendingCall& call, Result<RpcReply> result);
  template <typename Predicate, typename MakeError>
  void FailCalls(Predicate predicate, MakeError make_error);
  Error OverdueError(const PendingCall& call) const;

  Env& env_;
  const Endpoint endpoint_;
  const Identity identity_;
  CallTable calls_;
  bool stopped_ = false;

  bool maintaining_ = false;
  Connection* greeting_ = nullptr;          // during the handshake, so that Stop can end it
  std::unique_ptr<Connection> connection_;  // greeted; null while there is none
  std::uint64_t connection_count_ = 0;
  Backoff backoff_{kBackoffFirst, kBackoffLongest};
  CancellableSleep backoff_sleep_;
  TimePoint next_attempt_{INT64_MIN};
  std::optional<Error> last_failure_;  // why there is no connection

  bool writing_ = false;
  bool stop_writing_ = false;
  bool flush_posted_ = false;
  Waiter writer_wait_;
  Waiter writer_ended_;

  bool sweeping_ = false;
  TimePoint next_sweep_;
  CancellableSleep sweep_sleep_;

  TaskGroup tasks_;
};

Task<Result<RpcReply>> RpcClient::Impl::Call(std::shared_ptr<Impl> self, proto::Method method, std::string header,
                                             Payload payload, TimePoint deadline) {
  PendingCall call;
  call.frame.kind = FrameKind::kRequest;
  call.frame.method = static_cast<std::uint16_t>(method);
  call.frame.header = std::move(header);
  call.frame.payload = std::move(payload);
  call.deadline = deadline;
  if (Result<void> admitted = self->Admit(call); !admitted) {
    std::string context = fmt::format("{} to {}", proto::Method_Name(method), self->endpoint_.ToString());
    co_return admitted.error().WithContext(context);
  }

  self->calls_.Add(call);
  // Also when this coroutine is destroyed instead of resumed.
  ScopeExit remove([&self, &call] {
    if (!call.result) self->calls_.Remove(call);
  });
  self->WatchDeadline(deadline);
  self->Kick();
  if (!call.result) co_await call.waiter.Wait();
  if (!*call.result && !call.answered) {
    std::string context = fmt::format("{} to {}", proto::Method_Name(method), self->endpoint_.ToString());
    co_return call.result->error().WithContext(context);
  }
  co_return std::move(*call.result);
}

Result<void> RpcClient::Impl::Admit(const PendingCall& call) const {
  if (stopped_) return {ErrorCode::kCancelled, "this side is stopping"};
  TRY(CheckFrameLimits(call.frame));
  if (calls_.full()) return {ErrorCode::kOverloaded, fmt::format("{} calls are in flight already", calls_.size())};
  if (call.deadline <= env_.clock.Now())
    return {ErrorCode::kDeadlineExceeded, "the deadline had passed before the call"};
  return {};
}

/// Sees to it that what is queued gets sent.
void RpcClient::Impl::Kick() {
  if (connection_ != nullptr) {
    WakeWriter();
  } else if (!maintaining_) {
    maintaining_ = true;
    tasks_.Spawn(env_.executor, Maintain(shared_from_this()));
  }
}

/// Through the loop's queue once, so that everything that runs now and calls leaves in the same Send.
void RpcClient::Impl::WakeWriter() {
  if (flush_posted_ || !writer_wait_.waiting()) return;
  flush_posted_ = true;
  asio::post(env_.executor, [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->writer_wait_.Resume();
  });
}

Task<void> RpcClient::Impl::Maintain(std::shared_ptr<Impl> self) {
  while (!self->stopped_ && self->calls_.has_unsent()) {
    if (self->env_.clock.Now() < self->next_attempt_) {
      co_await self->backoff_sleep_.Until(self->env_, self->next_attempt_);
      continue;
    }
    Result<std::unique_ptr<Connection>> connection = co_await self->Greet();
    if (!connection) {
      self->NoteFailure(connection.error());
      continue;
    }
    co_await self->Serve(std::move(*connection));
  }
  self->maintaining_ = false;
}

Task<Result<std::unique_ptr<Connection>>> RpcClient::Impl::Greet() {
  TimePoint deadline = env_.clock.Now() + kConnectLimit;
  CO_TRY_ASSIGN(std::unique_ptr<Connection> connection, co_await env_.transport.Connect(endpoint_, deadline));
  if (stopped_) co_return Error(ErrorCode::kCancelled, "this side is stopping");

  greeting_ = connection.get();
  std::vector<Frame> hello;
  hello.push_back(MakeHello(identity_, env_.cpu < 0 ? kNoCpu : static_cast<std::uint32_t>(env_.cpu)));
  Result<Frame> reply = co_await ExchangeBefore(env_, *connection, std::move(hello), deadline);
  greeting_ = nullptr;
  if (!reply) co_return reply.error();
  CO_TRY(ReadHelloReply(*reply));
  co_return connection;
}

void RpcClient::Impl::NoteFailure(const Error& error) {
  next_attempt_ = env_.clock.Now() + backoff_.Next(env_.random);
  if (stopped_) return;
  if (!last_failure_ || last_failure_->code() != error.code()) {  // once for a series, not for every attempt
    LogWarning("cannot connect to {}: {}", endpoint_.ToString(), error.ToString());
  }
  last_failure_ = error;
  if (IsRefusal(error.code())) {
    FailCalls([](const PendingCall&) { return true; }, [error](const PendingCall&) { return error; });
  }
}

/// The life of a connection after its handshake.
Task<void> RpcClient::Impl::Serve(std::unique_ptr<Connection> connection) {
  if (stopped_) co_return;
  connection_ = std::move(connection);
  ++connection_count_;
  if (last_failure_) LogInfo("connected to {} again", endpoint_.ToString());
  last_failure_.reset();
  stop_writing_ = false;
  writing_ = true;
  tasks_.Spawn(env_.executor, Write(shared_from_this()));

  Error reason = co_await ReadReplies();
  connection_->Close();
  stop_writing_ = true;
  writer_wait_.Resume();
  if (writing_) co_await writer_ended_.Wait();
  connection_.reset();
  if (stopped_) co_return;

  next_attempt_ = env_.clock.Now() + backoff_.Next(env_.random);
  last_failure_ = reason;
  LogInfo("lost the connection to {}: {}", endpoint_.ToString(), reason.message());
  FailCalls([](const PendingCall& call) { return call.sent; },
            [&reason](const PendingCall&) { return Error(ErrorCode::kConnectionLost, reason.message()); });
}

/// Returns why the connection ended.
Task<Error> RpcClient::Impl::ReadReplies() {
  for (;;) {
    Result<Frame> frame = co_await connection_->Receive();
    if (!frame) co_return frame.error();
    if (frame->kind != FrameKind::kResponse) {
      co_return Error(ErrorCode::kProtocol, "the server sent something that is no response");
    }
    backoff_.Reset();  // it does answer
    PendingCall* call = calls_.Find(frame->request_id);
    if (call == nullptr) continue;  // given up meanwhile
    if (!call->sent) co_return Error(ErrorCode::kProtocol, "the server answered what was never asked");
    call->answered = true;
    if (frame->status == ErrorCode::kOk) {
      RpcReply reply{std::move(frame->header), std::move(frame->payload)};
      Finish(*call, std::move(reply));
    } else {
      Finish(*call, ReadError(*frame));
    }
  }
}

Task<void> RpcClient::Impl::Write(std::shared_ptr<Impl> self) {
  while (!self->stop_writing_) {
    if (!self->calls_.has_unsent()) {
      co_await self->writer_wait_.Wait();
      continue;
    }
    std::vector<Frame> frames = self->calls_.TakeUnsent(self->env_.clock.Now(), kMaxFramesPerSend, kMaxBytesPerSend);
    Result<void> sent = co_await self->connection_->Send(std::move(frames));
    if (!sent) {
      self->connection_->Close();  // the reader sees it and tells the callers
      break;
    }
  }
  self->writing_ = false;
  self->writer_ended_.Resume();
}

/// One sleeper for all calls: it wakes at what was the earliest deadline when it went to sleep, so that a stream of
/// calls with equal limits wakes it once per limit and not once per call.
Task<void> RpcClient::Impl::Sweep(std::shared_ptr<Impl> self) {
  while (!self->stopped_ && self->calls_.size() > 0) {
    self->next_sweep_ = self->calls_.EarliestDeadline();
    co_await self->sweep_sleep_.Until(self->env_, self->next_sweep_);
    TimePoint now = self->env_.clock.Now();
    self->FailCalls([now](const PendingCall& call) { return call.deadline <= now; },
                    [&self](const PendingCall& call) { return self->OverdueError(call); });
  }
  self->sweeping_ = false;
}

void RpcClient::Impl::WatchDeadline(TimePoint deadline) {
  if (!sweeping_) {
    sweeping_ = true;
    next_sweep_ = deadline;
    tasks_.Spawn(env_.executor, Sweep(shared_from_this()));
  } else if (deadline + kSweepSlack < next_sweep_) {
    next_sweep_ = deadline;
    sweep_sleep_.Cancel();
  }
}

Error RpcClient::Impl::OverdueError(const PendingCall& call) const {
  if (call.sent) return {ErrorCode::kDeadlineExceeded, "no answer in time"};
  if (connection_ != nullptr) return {ErrorCode::kDeadlineExceeded, "it could not be sent in time"};
  return {ErrorCode::kUnavailable,
          last_failure_ ? "no connection: " + last_failure_->message() : "no connection in time"};
}

/// Ends the call: the caller goes on at once, within this function.
void RpcClient::Impl::Finish(PendingCall& call, Result<RpcReply> result) {
  calls_.Remove(call);
  call.result.emplace(std::move(result));
  call.waiter.Resume();
}

template <typename Predicate, typename MakeError>
void RpcClient::Impl::FailCalls(Predicate predicate, MakeError make_error) {
  for (std::uint64_t id : calls_.IdsOf(predicate)) {
    // An earlier one's caller may have ended it meanwhile.
    if (PendingCall* call = calls_.Find(id)) Finish(*call, make_error(*call));
  }
}

Task<void> RpcClient::Impl::Stop(std::shared_ptr<Impl> self) {
  self->stopped_ = true;
  if (self->greeting_ != nullptr) self->greeting_->Close();
  if (self->connection_ != nullptr) self->connection_->Close();
  self->backoff_sleep_.Cancel();
  self->sweep_sleep_.Cancel();
  self->FailCalls([](const PendingCall&) { return true; },
                  [](const PendingCall&) { return Error(ErrorCode::kCancelled, "this side is stopping"); });
  co_await self->tasks_.Join();
}

RpcClient::RpcClient(Env& env, Endpoint endpoint, Identity identity)
    : impl_(std::make_shared<Impl>(env, std::move(endpoint), std::move(identity))) {}

RpcClient::~RpcClient() = default;

Task<Result<RpcReply>> RpcClient::Call(proto::Method method, std::string header, Payload payload, TimePoint deadline) {
  return Impl::Call(impl_, method, std::move(header), std::move(payload), deadline);
}

Task<void> RpcClient::Stop() {
  return Impl::Stop(impl_);
}

std::uint64_t RpcClient::connection_count() const {
  return impl_->connection_count();
}

const Endpoint& RpcClient::endpoint() const {
  return impl_->endpoint();
}

}  // namespace gabion
