#include "chunkserver/replication/data_ops.h"
#include "chunkserver/replication/mutation.h"

namespace gabion {

Task<Result<proto::ScrubChunkReply>> ScrubChunkSoon(DataContext& context, proto::ScrubChunkRequest request,
                                                    RpcRequest call) {
  proto::ChunkTarget& target = *request.mutable_target();
  target.set_replica(false);  // whoever says otherwise: copies are compared by the primary
  Result<Membership::Serving> serving =
      context.membership.CheckMutation(target, CallingServer(call), call.env->clock.Now());
  if (!serving) co_return serving.error();
  if (!context.suspects.Add(serving->group->id, ChunkId(target.chunk_id()))) {
    co_return Error(ErrorCode::kOverloaded, "as many chunks as may wait are to be scrubbed already");
  }
  co_return proto::ScrubChunkReply();
}

}  // namespace gabion
