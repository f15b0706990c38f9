#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/env/env.h"
#include "common/rpc/identity.h"
#include "proto/common.pb.h"

namespace gabion {

/// A request as a handler gets it.
struct RpcRequest {
  proto::Method method = proto::METHOD_NONE;
  std::string header;  // a Protobuf message, not parsed yet
  Payload payload;     // contiguous
  TimePoint deadline;  // when the caller stops waiting, by our clock
  Identity caller;     // as the handshake said
  std::string peer;    // for logs
  Env* env = nullptr;  // of the loop this runs on
};

struct RpcResponse {
  std::string header;
  Payload payload;
};

/// Answers requests. Every request is a coroutine of its own on its connection's loop; a connection reads on while they
/// run, up to kMaxRequestsPerConnection, then stops reading. A malformed frame ends its connection with one log line.
///
/// With several loops the first one accepts. A caller on this host goes to the loop of the CPU its handshake names,
/// others in turn, so that between processes of one machine a call stays on one CPU (DESIGN 11).
class RpcServer {
 public:
  static constexpr std::size_t kMaxRequestsPerConnection = 512;
  using Handler = std::function<Task<Result<RpcResponse>>(RpcRequest)>;

  /// `loops` not empty; all outlive the server. Identity's host_id decides who is on this host.
  RpcServer(std::vector<Env*> loops, Identity identity);
  ~RpcServer();  // Stop() first

  /// Before Start. One handler a method.
  void Handle(proto::Method method, Handler handler);

  /// Errors: as Transport::Listen.
  Result<void> Start(Endpoint endpoint);
  /// With the port really taken; after Start.
  Endpoint endpoint() const;

  /// Closes the connections of these callers. When it returns, every request that came on one of them has begun, or
  /// never will.
  Task<void> HangUp(proto::Role role);
  /// Stops accepting, closes all connections, waits for the handlers.
  Task<void> Stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

template <typename Request, typename Reply, typename Function>
Task<Result<RpcResponse>> RunTypedHandler(Function handler, proto::Method method, RpcRequest raw) {
  Request request;
  if (!request.ParseFromString(raw.header)) {
    co_return Error(ErrorCode::kProtocol, proto::Method_Name(method) + ": the request does not parse");
  }
  raw.header.clear();
  Result<Reply> reply = co_await handler(std::move(request), std::move(raw));
  if (!reply) co_return reply.error();
  RpcResponse response;
  response.header = reply->SerializeAsString();
  co_return response;
}

/// Registers a handler of messages: `handler(Request, RpcRequest) -> Task<Result<Reply>>`. The RpcRequest carries
/// payload, deadline and caller; its header is empty. A request that does not parse is answered kProtocol.
template <typename Request, typename Reply, typename Function>
void HandleTyped(RpcServer& server, proto::Method method, Function handler) {
  server.Handle(method, [handler = std::move(handler), method](RpcRequest raw) -> Task<Result<RpcResponse>> {
    return RunTypedHandler<Request, Reply>(handler, method, std::move(raw));
  });
}

}  // namespace gabion
