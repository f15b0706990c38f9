#include "chunkserver/replication/mutation.h"

#include <fmt/format.h>

#include "common/env/mutate.h"

namespace gabion {

ServerId CallingServer(const RpcRequest& call) {
  if (call.caller.role != proto::ROLE_CHUNKSERVER) return {};
  return ServerId(static_cast<std::uint32_t>(call.caller.number));
}

Result<void> CheckChunkRange(std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  if (length_bytes == 0 || length_bytes > kChunkBytes || offset_bytes > kChunkBytes - length_bytes) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} bytes at {} are not a range of a chunk", length_bytes, offset_bytes));
  }
  return {};
}

namespace {

constexpr Duration kFullPause = std::chrono::seconds(1);

Result<void> CheckFence(DataContext& context, ServerId primary, const proto::ChunkTarget& target) {
  if (!target.replica() || context.fences.Accept(primary, target.fence())) return {};
  return Error(ErrorCode::kUnavailable, "a change that the primary had given up already");
}

Result<void> CheckMayChange(DataContext& context, const MembershipView::Group& group) {
  TRY(CheckServesWriters(context, group));
  if (group.in_sync.size() >= group.min_replicas) return {};
  return Error(
      ErrorCode::kUnavailable,
      fmt::format("placement group {} has {} members in sync and takes changes with {}: they wait for a server to "
                  "come back",
                  group.id.value(), group.in_sync.size(), group.min_replicas));
}

/// What some members have and others have no space for is made equal by spending what is set aside. So after a member
/// was full nothing is tried for a while; by then the group may be without it.
Result<void> CheckHasSpace(DataContext& context, const MembershipView::Group& group, TimePoint now) {
  if (!context.pgs.HasFullMember(group.id, group.epoch, now - kFullPause)) return {};
  return Error(ErrorCode::kNoSpace,
               fmt::format("placement group {}: a member's disk was full a moment ago", group.id.value()));
}

SessionFences::Sender SenderOf(const proto::ChunkTarget& target) {
  // What a primary passes on is under way there.
  if (target.replica()) return {};
  return {SessionId(target.session_id()), target.session_evictions()};
}

/// Starts to send the change to the other members.
void PassOn(DataContext& context, const Membership::Serving& serving, Mutation& mutation, ForwardRound& round) {
  const MembershipView::Group& group = *serving.group;
  proto::ChunkTarget& target = *mutation.target;
  target.set_replica(true);
  target.clear_session_id();
  target.clear_session_evictions();
  auto send = [&](ServerId member, std::optional<ForwardRound::Optional> optional) {
    target.set_fence(context.fences.ForMember(member));
    round.Send(member, mutation.method, mutation.request->SerializeAsString(), mutation.payload, optional);
  };
  for (ServerId member : group.in_sync) {
    if (member == group.in_sync.back() && Mutated("chunk.skip_last")) continue;
    if (member != serving.self) send(member, std::nullopt);
  }
  ChunkId chunk(target.chunk_id());
  for (const MembershipView::Joiner& joiner : group.joining) {
    // What it would copy from may be old there.
    bool can_apply = mutation.method != proto::METHOD_COPY_CHUNK;
    Joiners::Part part = context.joiners.PartIn(group.id, group.epoch, joiner.server, chunk, can_apply);
    if (part != Joiners::Part::kSkip) send(joiner.server, ForwardRound::Optional{group.id, group.epoch, chunk});
  }
}

}  // namespace

Result<void> CheckServes(DataContext& context, const MembershipView::Group& group) {
  if (context.pgs.Serves(group.id, group.epoch) || Mutated("chunk.serve_unsettled")) return {};
  return Error(ErrorCode::kUnavailable,
               fmt::format("placement group {} is being settled in epoch {}", group.id.value(), group.epoch.value()));
}

Result<void> CheckServesWriters(DataContext& context, const MembershipView::Group& group) {
  Result<void> serves = CheckServes(context, group);
  if (serves || !context.pgs.WaitsForSpace(group.id, group.epoch)) return serves;
  return Error(ErrorCode::kNoSpace,
               fmt::format("placement group {}: there is no space to make its copies equal", group.id.value()));
}

Task<Result<void>> Replicate(DataContext& context, const RpcRequest& call, Mutation mutation,
                             Task<Result<void>> apply) {
  Env& env = *call.env;
  proto::ChunkTarget& target = *mutation.target;
  ServerId caller = CallingServer(call);
  Result<Membership::Serving> serving = context.membership.CheckMutation(target, caller, env.clock.Now());
  if (!serving) co_return serving.error();
  CO_TRY(CheckFence(context, caller, target));
  const SessionFences::Sender sender = SenderOf(target);
  Result<SessionFences::Token> under_way = context.session_fences.Admit(sender);
  if (!under_way) co_return under_way.error();

  std::vector<RangeLocks::Guard> guards;
  guards.reserve(mutation.ranges.size());
  for (const Mutation::Range& range : mutation.ranges) {
    RangeLocks::Guard guard = co_await context.order.Lock(range.chunk, range.pages);
    guards.push_back(std::move(guard));
  }
  // Waiting may have taken long: all is checked again, once the change is known to be under way. Whatever takes this
  // one's place waits for the same pages, behind it.
  PgTable::Change change = context.pgs.BeginChange(PgId(target.pg_id()), ChunkId(target.chunk_id()), !target.replica());
  TimePoint now = env.clock.Now();
  if (now >= call.deadline)
    co_return Error(ErrorCode::kDeadlineExceeded, "other changes of the same pages took too long");
  serving = context.membership.CheckMutation(target, caller, now);
  if (!serving) co_return serving.error();
  CO_TRY(CheckFence(context, caller, target));
  CO_TRY(context.session_fences.Check(sender));
  if (env.Buggified("chunk.slow_apply")) co_await env.clock.SleepFor(std::chrono::milliseconds(50));
  if (target.replica()) co_return co_await std::move(apply);
  CO_TRY(CheckMayChange(context, *serving->group));
  if (mutation.method != proto::METHOD_TRIM_CHUNK) CO_TRY(CheckHasSpace(context, *serving->group, now));

  ForwardRound round(context, env, call.deadline);
  PassOn(context, *serving, mutation, round);
  co_await round.Flush();
  Result<void> here = co_await std::move(apply);
  Result<void> there = co_await round.Join();
  if (here && there) co_return here;
  for (ServerId member : round.full()) context.pgs.NoteFull(serving->group->id, serving->group->epoch, member, now);
  if (!here && here.error().code() == ErrorCode::kNoSpace) {
    context.pgs.NoteFull(serving->group->id, serving->group->epoch, serving->self, now);
  }
  if (!Mutated("chunk.no_fail")) context.pgs.Fail(serving->group->id, serving->group->epoch);
  if (!here) co_return here;
  co_return there;
}

}  // namespace gabion
