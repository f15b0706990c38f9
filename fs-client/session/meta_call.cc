#include "fs-client/session/meta_call.h"

#include "common/env/mutate.h"
#include "fs-client/session/interruption.h"
#include "fs-client/session/retry_limits.h"

namespace gabion {
namespace {

/// Whether it is part of bringing written data home, and returning leases.
bool IsUrgent(proto::Method method) {
  return method == proto::METHOD_NAME_HANDLES || method == proto::METHOD_NAME_LOCKS ||
         method == proto::METHOD_COMMIT_WRITE || method == proto::METHOD_ALLOCATE_CHUNKS ||
         method == proto::METHOD_GET_CHUNKS || method == proto::METHOD_FINISH_TRIM || method == proto::METHOD_SYNC_META;
}

}  // namespace

/// The number of a mutation in its session; taken back with the call, however that ends.
class MetaCalls::OpNumber {
 public:
  OpNumber() = default;
  ~OpNumber() { Release(); }
  OpNumber(const OpNumber&) = delete;
  OpNumber& operator=(const OpNumber&) = delete;

  /// Takes a number unless the op has one in this very session.
  void StayIn(const SessionState& state) {
    if (ops_ == state.ops && !Mutated("client.new_number")) return;
    Release();
    ops_ = state.ops;
    seq_ = ops_->Begin();
  }
  OpSeq seq() const { return seq_; }

 private:
  void Release() {
    if (ops_ != nullptr) ops_->End(seq_);
  }

  std::shared_ptr<OpTracker> ops_;
  OpSeq seq_;
};

Task<Result<RpcReply>> MetaCalls::Run(ClientLoop* loop, Caller caller, proto::Method method,
                                      const google::protobuf::MessageLite& request, proto::OpHeader& op, Kind kind,
                                      Tries& tries) {
  op.set_uid(caller.uid);
  op.set_gid(caller.gid);
  OpNumber number;
  const Patience patience = session_.NewPatience(loop);
  AttemptLimit limit;
  Backoff backoff = MakeRetryBackoff();
  bool may_be_done = false;
  for (;;) {
    if (session_.stopping()) co_return Error(ErrorCode::kCancelled, "the mount is being stopped");
    SessionStatePtr state = session_.state();
    op.set_volume_id(state->volume.value());
    op.set_session_id(state->id.value());
    if (kind == Kind::kMutation) {
      number.StayIn(*state);
      op.set_seq(number.seq().value());
    }
    op.set_acked_below(state->ops->acked_below().value());

    tries.asked = leases_.cache().generation();
    RpcClient& client =
        IsUrgent(method) ? loop->UrgentMetaserver(state->metaserver) : loop->Metaserver(state->metaserver);
    std::string header = request.SerializeAsString();
    Payload none;
    TimePoint deadline = patience.Limit(limit.Next(loop->Now()));
    if (loop->env().Buggified("client.give_up_meta")) deadline = loop->Now() + std::chrono::milliseconds(1);
    Result<RpcReply> reply = co_await client.Call(method, std::move(header), std::move(none), deadline);
    auto key = static_cast<std::uint32_t>(state->metaserver);
    if (reply) {
      outages_.Succeeded(key, loop->Now());
      if (loop->env().Buggified("client.late_answer")) {
        co_await loop->env().clock.SleepFor(std::chrono::milliseconds(100));
      }
      co_return reply;
    }

    ErrorCode code = reply.error().code();
    const bool was_held = code == ErrorCode::kHeld;  // by others' leases: it has not been done
    may_be_done |= kind == Kind::kMutation && code != ErrorCode::kUnavailable && !was_held;
    tries.unanswered |=
        (IsRetryable(code) && !was_held) || code == ErrorCode::kSessionExpired || code == ErrorCode::kCancelled;
    asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
    if (IsRetryable(code) && !may_be_done && caller.pid != 0 && Interrupted(cancellation)) {
      co_return Error(ErrorCode::kCancelled, "the caller does not wait any more");
    }
    if (code == ErrorCode::kSessionExpired) {
      CO_TRY(co_await session_.Recover(loop, state->generation, patience));
    } else if (IsRetryable(code) || (code == ErrorCode::kCancelled && !session_.stopping())) {
      if (!was_held) outages_.Failed(key, loop->Now(), reply.error());
      if (patience.IsOver(loop->Now())) co_return patience.GaveUp(reply.error());
      if (!was_held) co_await loop->env().clock.SleepFor(backoff.Next(loop->env().random));
    } else {
      outages_.Succeeded(key, loop->Now());
      bool denied = code == ErrorCode::kPermissionDenied || code == ErrorCode::kNotPermitted;
      if (!denied || !AddGroups(caller, op)) co_return reply;
    }
  }
}

bool MetaCalls::AddGroups(const Caller& caller, proto::OpHeader& op) {
  if (groups_ == nullptr || caller.uid == 0 || op.groups_size() > 0) return false;
  for (std::uint32_t group : groups_->GroupsOf(caller)) op.add_groups(group);
  return op.groups_size() > 0;
}

}  // namespace gabion
