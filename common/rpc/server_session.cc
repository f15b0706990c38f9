#include "common/rpc/server_session.h"

#include <fmt/format.h>

#include <asio/post.hpp>
#include <utility>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/rpc/error_frame.h"
#include "common/rpc/frame_codec.h"

namespace gabion {
namespace {

// A caller that states no limit gets this one.
constexpr std::uint32_t kDefaultDeadlineMs = 30'000;

std::size_t BytesOf(const Frame& frame) {
  return kFrameHeadBytes + frame.header.size() + frame.payload.size();
}

Frame ReplyTo(std::uint16_t method, std::uint64_t request_id, Result<RpcResponse> result) {
  Frame reply;
  reply.kind = FrameKind::kResponse;
  reply.method = method;
  reply.request_id = request_id;
  if (result) {
    reply.header = std::move(result->header);
    reply.payload = std::move(result->payload);
    if (Result<void> checked = CheckFrameLimits(reply); !checked) {
      LogError("the answer to method {} does not fit a frame: {}", method, checked.error().message());
      reply.payload = {};
      WriteError(checked.error().WithContext("the server's answer does not fit a frame"), reply);
    }
  } else {
    WriteError(result.error(), reply);
  }
  return reply;
}

}  // namespace

void MethodTable::Set(proto::Method method, RpcServer::Handler handler) {
  auto index = static_cast<std::size_t>(method);
  if (handlers_.size() <= index) handlers_.resize(index + 1);
  CHECK(!handlers_[index]);
  handlers_[index] = std::move(handler);
}

const RpcServer::Handler* MethodTable::Find(std::uint16_t method) const {
  return method < handlers_.size() && handlers_[method] ? &handlers_[method] : nullptr;
}

ServerSession::ServerSession(const MethodTable& methods, ServerLoop& loop, std::unique_ptr<Connection> connection,
                             Greeting greeting)
    : methods_(methods),
      loop_(loop),
      connection_(std::move(connection)),
      greeting_(std::move(greeting)),
      peer_(connection_->peer()) {}

Task<void> ServerSession::Run(std::shared_ptr<ServerSession> self, Frame hello_reply) {
  if (self->loop_.stopping) co_return;
  const std::uint64_t key = self->loop_.next_key++;
  self->loop_.open.emplace(key, ServerLoop::Open{self->connection_.get(), self->greeting_.caller.role});
  std::vector<Frame> hello;
  hello.push_back(std::move(hello_reply));
  Result<void> greeted = co_await self->connection_->Send(std::move(hello));
  if (greeted && !self->loop_.stopping) {
    self->writing_ = true;
    self->loop_.tasks.Spawn(self->loop_.env.executor, Write(self));
    Error reason = co_await self->ReadRequests();
    if (reason.code() == ErrorCode::kProtocol)
      LogWarning("closing the connection of {}: {}", self->peer_, reason.message());
  }
  self->connection_->Close();
  self->stop_writing_ = true;
  self->writer_wait_.Resume();
  if (self->writing_) co_await self->writer_ended_.Wait();
  self->loop_.open.erase(key);
}

/// Returns why there are no more.
Task<Error> ServerSession::ReadRequests() {
  for (;;) {
    while (AtLimit() && !stop_writing_) co_await reader_wait_.Wait();
    Result<Frame> frame = co_await connection_->Receive();
    if (!frame) co_return frame.error();
    if (frame->kind != FrameKind::kRequest) {
      co_return Error(ErrorCode::kProtocol, "it sent something that is no request");
    }
    ++requests_in_flight_;
    bytes_in_flight_ += BytesOf(*frame);
    loop_.tasks.Spawn(loop_.env.executor, Answer(shared_from_this(), std::move(*frame)));
  }
}

bool ServerSession::AtLimit() const {
  return requests_in_flight_ >= RpcServer::kMaxRequestsPerConnection || bytes_in_flight_ >= kMaxBytesInFlight;
}

Task<void> ServerSession::Answer(std::shared_ptr<ServerSession> self, Frame request) {
  const std::uint16_t method = request.method;
  const std::uint64_t request_id = request.request_id;
  const std::size_t request_bytes = BytesOf(request);
  Result<RpcResponse> result = co_await self->Handle(std::move(request));
  self->QueueReply(ReplyTo(method, request_id, std::move(result)), request_bytes);
}

Task<Result<RpcResponse>> ServerSession::Handle(Frame frame) {
  const RpcServer::Handler* handler = methods_.Find(frame.method);
  if (handler == nullptr) {
    co_return Error(ErrorCode::kUnknownMethod,
                    fmt::format("{} does not know method {}", SoftwareVersion(), frame.method));
  }
  const std::uint32_t deadline_ms = frame.deadline_ms == 0 ? kDefaultDeadlineMs : frame.deadline_ms;
  RpcRequest request;
  request.method = static_cast<proto::Method>(frame.method);
  request.header = std::move(frame.header);
  request.payload = std::move(frame.payload);
  request.deadline = loop_.env.clock.Now() + std::chrono::milliseconds(deadline_ms);
  request.caller = greeting_.caller;
  request.peer = peer_;
  request.env = &loop_.env;
  co_return co_await (*handler)(std::move(request));
}

void ServerSession::QueueReply(Frame reply, std::size_t request_bytes) {
  bytes_in_flight_ += BytesOf(reply);
  replies_.push_back({std::move(reply), request_bytes});
  WakeWriter();
}

/// Through the loop's queue once: all requests that came in one read are answered in one Send.
void ServerSession::WakeWriter() {
  if (flush_posted_ || !writer_wait_.waiting()) return;
  flush_posted_ = true;
  asio::post(loop_.env.executor, [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->writer_wait_.Resume();
  });
}

Task<void> ServerSession::Write(std::shared_ptr<ServerSession> self) {
  while (!self->stop_writing_) {
    if (self->replies_.empty()) {
      co_await self->writer_wait_.Wait();
      continue;
    }
    std::vector<Reply> replies = std::exchange(self->replies_, {});
    std::vector<Frame> frames;
    frames.reserve(replies.size());
    std::size_t bytes = 0;
    for (Reply& reply : replies) {
      bytes += BytesOf(reply.frame) + reply.request_bytes;
      frames.push_back(std::move(reply.frame));
    }
    Result<void> sent = co_await self->connection_->Send(std::move(frames));
    self->requests_in_flight_ -= replies.size();
    self->bytes_in_flight_ -= bytes;
    if (!sent) {
      self->stop_writing_ = true;
      self->connection_->Close();
    }
    self->reader_wait_.Resume();
  }
  self->writing_ = false;
  self->writer_ended_.Resume();
}

}  // namespace gabion
