#pragma once

#include <google/protobuf/message_lite.h>

#include <memory>
#include <string>

#include "common/env/env.h"
#include "common/rpc/identity.h"
#include "proto/common.pb.h"

namespace gabion {

/// A response: its Protobuf message still encoded, its payload as it came.
struct RpcReply {
  std::string header;
  Payload payload;
};

/// Calls one server over one connection, made on demand and made again after a loss (with a growing, jittered pause, at
/// most 1 s; calls meanwhile wait for it within their deadlines). Any number of calls at once, at most
/// kMaxCallsInFlight; what gathers while a send is under way leaves in one system call. Belongs to one event loop.
class RpcClient {
 public:
  static constexpr std::size_t kMaxCallsInFlight = 4096;

  RpcClient(Env& env, Endpoint endpoint, Identity identity);
  ~RpcClient();  // Stop() first

  /// Errors: what the server answered; kConnectionLost (the call may or may not have been executed), kUnavailable (it
  /// was not: no connection by the deadline), kDeadlineExceeded, kOverloaded, kProtocol, kVersionMismatch, kCancelled
  /// (stopped).
  Task<Result<RpcReply>> Call(proto::Method method, std::string header, Payload payload, TimePoint deadline);

  /// Ends the connection and every call (kCancelled).
  Task<void> Stop();

  /// Raised by every new connection; 0 before the first. Lets a session notice that it must resume.
  std::uint64_t connection_count() const;
  const Endpoint& endpoint() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

/// A decoded reply with its payload.
template <typename Reply>
struct TypedReply {
  Reply message;
  Payload payload;
};

template <typename Reply>
Task<Result<TypedReply<Reply>>> CallTypedEncoded(RpcClient& client, proto::Method method, std::string header,
                                                 Payload payload, TimePoint deadline) {
  Result<RpcReply> raw = co_await client.Call(method, std::move(header), std::move(payload), deadline);
  if (!raw) co_return raw.error();
  TypedReply<Reply> reply;
  if (!reply.message.ParseFromString(raw->header)) {
    co_return Error(ErrorCode::kProtocol, proto::Method_Name(method) + ": the answer does not parse");
  }
  reply.payload = std::move(raw->payload);
  co_return reply;
}

/// Call with messages. Errors: as Call; kProtocol if the answer does not parse.
template <typename Reply, typename Request>
Task<Result<TypedReply<Reply>>> CallTyped(RpcClient& client, proto::Method method, const Request& request,
                                          Payload payload, TimePoint deadline) {
  // Not a coroutine up to here: `request` is encoded before the first suspension.
  return CallTypedEncoded<Reply>(client, method, request.SerializeAsString(), std::move(payload), deadline);
}

}  // namespace gabion
