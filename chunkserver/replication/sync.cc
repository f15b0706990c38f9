#include <map>

#include "chunkserver/replication/data_ops.h"
#include "chunkserver/replication/forward.h"
#include "chunkserver/replication/mutation.h"
#include "common/env/mutate.h"

namespace gabion {
namespace {

Task<Result<void>> SyncHere(DataContext& context, std::vector<ChunkId> chunks) {
  Result<std::vector<ExtentStore*>> stores = co_await context.stores.FindAll(std::move(chunks));
  if (!stores) co_return stores.error();
  for (ExtentStore* store : *stores) {
    Result<void> synced = co_await store->Sync();
    if (!synced) co_return synced;
  }
  co_return Result<void>();
}

}  // namespace

Task<Result<proto::SyncChunksReply>> SyncChunks(DataContext& context, proto::SyncChunksRequest request,
                                                RpcRequest call) {
  std::vector<ChunkId> chunks;
  std::map<ServerId, proto::SyncChunksRequest> others;  // one call a server, however many chunks
  auto pass_on = [&others](ServerId member, const proto::ChunkTarget& target) {
    proto::ChunkTarget& passed_on = *others[member].add_targets();
    passed_on = target;
    passed_on.set_replica(true);
  };
  for (const proto::ChunkTarget& target : request.targets()) {
    Result<Membership::Serving> serving =
        context.membership.CheckMutation(target, CallingServer(call), call.env->clock.Now());
    if (!serving) co_return serving.error();
    chunks.emplace_back(target.chunk_id());
    if (target.replica()) continue;
    const MembershipView::Group& group = *serving->group;
    CO_TRY(CheckServesWriters(context, group));
    for (ServerId member : group.in_sync) {
      if (member != serving->self && !Mutated("chunk.sync_primary_only")) pass_on(member, target);
    }
    for (ServerId joiner : context.joiners.RequiredIn(group.id, group.epoch)) pass_on(joiner, target);
  }
  ForwardRound round(context, *call.env, call.deadline);
  for (const auto& [member, message] : others) {
    Payload none;
    round.Send(member, proto::METHOD_SYNC_CHUNKS, message.SerializeAsString(), std::move(none));
  }
  co_await round.Flush();
  Result<void> here = co_await SyncHere(context, std::move(chunks));
  Result<void> there = co_await round.Join();
  if (!here) co_return here.error();
  if (!there) co_return there.error();
  co_return proto::SyncChunksReply();
}

}  // namespace gabion
