#include "chunkserver/replication/mutation.h"

#include <fmt/format.h>

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

Result<void> CheckFence(DataContext& context, ServerId primary, const proto::ChunkTarget& target) {
  if (!target.replica() || context.fences.Accept(primary, target.fence())) return {};
  return Error(ErrorCode::kUnavailable, "a change that the primary had given up already");
}

}  // namespace

Task<Result<void>> Replicate(DataContext& context, const RpcRequest& call, Mutation mutation,
                             Task<Result<void>> apply) {
  Env& env = *call.env;
  proto::ChunkTarget& target = *mutation.target;
  ServerId caller = CallingServer(call);
  Result<Membership::Serving> serving = context.membership.CheckMutation(target, caller, env.clock.Now());
  if (!serving) co_return serving.error();
  CO_TRY(CheckFence(context, caller, target));

  std::vector<RangeLocks::Guard> guards;
  guards.reserve(mutation.ranges.size());
  for (const Mutation::Range& range : mutation.ranges) {
    RangeLocks::Guard guard = co_await context.order.Lock(range.chunk, range.pages);
    guards.push_back(std::move(guard));
  }
  // Waiting may have taken long: all is checked again. Whatever takes this one's place waits for the same pages, behind
  // it.
  TimePoint now = env.clock.Now();
  if (now >= call.deadline)
    co_return Error(ErrorCode::kDeadlineExceeded, "other changes of the same pages took too long");
  serving = context.membership.CheckMutation(target, caller, now);
  if (!serving) co_return serving.error();
  CO_TRY(CheckFence(context, caller, target));
  if (target.replica()) co_return co_await std::move(apply);

  ForwardRound round(context, env, call.deadline);
  target.set_replica(true);
  for (ServerId member : serving->group->in_sync) {
    if (member == serving->self) continue;
    target.set_fence(context.fences.ForMember(member));
    round.Send(member, mutation.method, mutation.request->SerializeAsString(), mutation.payload);
  }
  co_await round.Flush();
  Result<void> here = co_await std::move(apply);
  Result<void> there = co_await round.Join();
  if (!here) co_return here;
  co_return there;
}

}  // namespace gabion
