#pragma once

#include <fmt/format.h>

#include <utility>

#include "common/rpc/rpc_server.h"
#include "metaserver/volume/volume_table.h"

namespace gabion {

/// From a request frame to its volume's strand and back. The reply is encoded once, on the strand: a mutation stores
/// the very bytes that it answers with.
enum class OpKind {
  kMutation,    // exactly once
  kRepeatable,  // a mutation that may run twice: a sequence number is optional
  kHandle,      // opens and closes files: as kRepeatable, and allowed on a read-only mount
  kLock,        // exactly once, and allowed on a read-only mount
  kWriteLease,  // as kRepeatable
  kRead,
};

/// Until when an op waits for leases: so much before its caller's deadline that the caller hears of it.
inline TimePoint WaitLimit(TimePoint now, TimePoint deadline) {
  return deadline <= now ? now : now + (deadline - now) * 7 / 8;
}

template <typename Request, typename Reply>
using OpFunction = Result<Reply> (*)(Txn& txn, const Request& request, OpContext& context);

template <OpKind kKind, typename Request, typename Reply>
Task<Result<RpcResponse>> RunOp(VolumeTable& volumes, OpFunction<Request, Reply> function, RpcRequest raw) {
  Request request;
  if (!request.ParseFromString(raw.header)) {
    co_return Error(ErrorCode::kProtocol, proto::Method_Name(raw.method) + ": the request does not parse");
  }
  const std::shared_ptr<Volume> volume = volumes.Find(VolumeId(request.op().volume_id()));
  if (!volume)
    co_return Error(ErrorCode::kSessionExpired, fmt::format("there is no volume {}", request.op().volume_id()));
  Volume::Op op = [function, &request](Txn& txn, OpContext& context) -> Result<std::string> {
    Result<Reply> reply = function(txn, request, context);
    if (!reply) return reply.error();
    return reply->SerializeAsString();
  };
  constexpr Volume::OpTraits kTraits{
      .seq_optional = kKind == OpKind::kRepeatable || kKind == OpKind::kHandle || kKind == OpKind::kWriteLease,
      .read_only = kKind == OpKind::kHandle || kKind == OpKind::kLock,
      .holds = kKind == OpKind::kLock || kKind == OpKind::kWriteLease};
  const TimePoint wait_until = WaitLimit(raw.env->clock.Now(), raw.deadline);
  Task<Result<std::string>> running = kKind == OpKind::kRead
                                          ? volume->Read(request.op(), std::move(op), wait_until, *raw.env)
                                          : volume->Mutate(request.op(), kTraits, std::move(op), wait_until, *raw.env);
  Result<std::string> reply = co_await std::move(running);
  if (!reply) co_return reply.error();
  RpcResponse response;
  response.header = std::move(*reply);
  co_return response;
}

template <OpKind kKind, typename Request, typename Reply>
void HandleOp(RpcServer& server, proto::Method method, VolumeTable& volumes, OpFunction<Request, Reply> function) {
  server.Handle(method,
                [&volumes, function](RpcRequest raw) { return RunOp<kKind>(volumes, function, std::move(raw)); });
}

}  // namespace gabion
