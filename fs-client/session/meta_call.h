#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "common/base/result.h"
#include "common/rpc/rpc_client.h"
#include "fs-client/session/group_source.h"
#include "fs-client/session/meta_session.h"
#include "fs-client/session/outage_log.h"
#include "fs-client/vfs/vfs.h"

namespace gabion {

/// Requests to the metaserver that are sent until they are answered, or given up (a soft mount, kIo): over lost
/// connections, time-outs, restarts and expired sessions; a mutation always under the same number, so that it happens
/// once. A caller who is not root and is denied is tried once more with his supplementary groups. Any loop.
///
/// What an op changes is no longer answered from what is known under leases, also if its own answer was lost.
///
/// A call that has had no effect ends early when its caller is being killed. A caller without a pid is the client
/// itself: nobody interrupts it.
class MetaCalls {
 public:
  /// All outlive it; `groups` may be null: nobody has any.
  MetaCalls(MetaSession& session, Leases& leases, GroupSource* groups)
      : session_(session), leases_(leases), groups_(groups) {}

  /// A look: executed any number of times.
  /// Errors: what the metaserver answered for good; kCancelled (the mount is being stopped, or interrupted).
  template <typename Reply, typename Request>
  Task<Result<Reply>> Read(ClientLoop* loop, Caller caller, proto::Method method, Request request) {
    Result<RpcReply> raw = co_await Run(loop, caller, method, request, *request.mutable_op(), Kind::kRead);
    co_return Parse<Reply>(method, std::move(raw));
  }

  /// A change: executed once.
  template <typename Reply, typename Request>
  Task<Result<Reply>> Mutate(ClientLoop* loop, Caller caller, proto::Method method, Request request) {
    Result<RpcReply> raw = co_await Run(loop, caller, method, request, *request.mutable_op(), Kind::kMutation);
    co_return Parse<Reply>(method, std::move(raw));
  }

  /// Sends the caller's supplementary groups along at once: for requests that are not denied without them, but done
  /// otherwise. Whether there are any.
  bool AddGroups(const Caller& caller, proto::OpHeader& op);

 private:
  enum class Kind { kRead, kMutation };
  class OpNumber;

  template <typename Reply>
  static Result<Reply> Parse(proto::Method method, Result<RpcReply> raw) {
    if (!raw) return raw.error();
    Reply reply;
    if (!reply.ParseFromString(raw->header)) {
      return Error(ErrorCode::kProtocol, proto::Method_Name(method) + ": the answer does not parse");
    }
    return reply;
  }

  /// `op` is the header inside `request`; both are the awaiting caller's.
  Task<Result<RpcReply>> Run(ClientLoop* loop, Caller caller, proto::Method method,
                             const google::protobuf::MessageLite& request, proto::OpHeader& op, Kind kind);
  /// As Run, and leases are not its concern. `unsure`: a try was not answered, and may have done what it asked for.
  Task<Result<RpcReply>> Send(ClientLoop* loop, Caller caller, proto::Method method,
                              const google::protobuf::MessageLite& request, proto::OpHeader& op, Kind kind,
                              bool& unsure);

  MetaSession& session_;
  Leases& leases_;
  GroupSource* const groups_;
  OutageLog outages_{"metaserver"};
};

}  // namespace gabion
