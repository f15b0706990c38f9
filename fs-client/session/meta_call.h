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

  /// A look, or what may be done any number of times and changes nothing that others see.
  /// Errors: what the metaserver answered for good; kCancelled (the mount is being stopped, or interrupted).
  template <typename Reply, typename Request>
  Task<Result<Reply>> Read(ClientLoop* loop, Caller caller, proto::Method method, Request request) {
    Tries tries;
    Result<RpcReply> raw = co_await Run(loop, caller, method, request, *request.mutable_op(), Kind::kRead, tries);
    co_return Parse<Reply>(method, std::move(raw), tries);
  }

  /// A change: executed once.
  template <typename Reply, typename Request>
  Task<Result<Reply>> Mutate(ClientLoop* loop, Caller caller, proto::Method method, Request request) {
    Tries tries;
    Result<RpcReply> raw = co_await Run(loop, caller, method, request, *request.mutable_op(), Kind::kMutation, tries);
    Result<Reply> reply = Parse<Reply>(method, std::move(raw), tries);
    if (reply) session_.names().NoteChange();
    if (tries.unanswered) {
      // One that was given up may still be waiting at the metaserver for others' leases.
      TimePoint until = reply ? loop->Now() : loop->Now() + kLongestOp;
      co_await leases_.Unsure(loop->env(), until);
    } else if (reply) {
      co_await leases_.Changed(loop->env(), reply->note());
    }
    co_return reply;
  }

  /// Sends the caller's supplementary groups along at once: for requests that are not denied without them, but done
  /// otherwise. Whether there are any.
  bool AddGroups(const Caller& caller, proto::OpHeader& op);

 private:
  enum class Kind { kRead, kMutation };
  class OpNumber;

  /// Longer than the metaserver executes any.
  static constexpr Duration kLongestOp = std::chrono::seconds(30);
  /// What became of them.
  struct Tries {
    std::uint64_t asked = 0;  // LeaseCache::generation() when the last one was sent
    bool unanswered = false;  // one was not answered, and may have done what it asked for
  };

  template <typename Reply>
  static Result<Reply> Parse(proto::Method method, Result<RpcReply> raw, const Tries& tries) {
    if (!raw) return raw.error();
    Reply reply;
    if (!reply.ParseFromString(raw->header)) {
      return Error(ErrorCode::kProtocol, proto::Method_Name(method) + ": the answer does not parse");
    }
    if constexpr (requires { reply.mutable_note(); }) {
      if (reply.has_note()) reply.mutable_note()->set_asked(tries.asked);
    }
    return reply;
  }

  /// `op` is the header inside `request`; both are the awaiting caller's, as `tries`.
  Task<Result<RpcReply>> Run(ClientLoop* loop, Caller caller, proto::Method method,
                             const google::protobuf::MessageLite& request, proto::OpHeader& op, Kind kind,
                             Tries& tries);

  MetaSession& session_;
  Leases& leases_;
  GroupSource* const groups_;
  OutageLog outages_{"metaserver"};
};

}  // namespace gabion
