#include "chunkserver/replication/data_ops.h"
#include "chunkserver/replication/mutation.h"

namespace gabion {

Task<Result<proto::StatChunkReply>> StatChunk(DataContext& context, proto::StatChunkRequest request, RpcRequest call) {
  Result<Membership::Serving> serving = context.membership.CheckRead(request.target(), call.env->clock.Now());
  if (!serving) co_return serving.error();
  if (serving->group->primary == serving->self) CO_TRY(CheckServes(context, *serving->group));
  ChunkId chunk(request.target().chunk_id());
  Result<ExtentStore*> store = co_await context.stores.Find(chunk);
  if (!store) co_return store.error();
  proto::StatChunkReply reply;
  if (*store == nullptr) co_return reply;
  Result<std::optional<ChunkStat>> stat = co_await (*store)->Stat(chunk);
  if (!stat) co_return stat.error();
  if (!stat->has_value()) co_return reply;  // removed meanwhile
  const ChunkStat& found = **stat;
  reply.set_length_bytes(found.record.length_bytes);
  reply.set_last_write_epoch(found.record.last_write_epoch.value());
  for (const ChunkExtent& extent : found.allocated) {
    proto::ByteRange& range = *reply.add_allocated();
    range.set_offset_bytes(extent.offset_bytes);
    range.set_length_bytes(extent.length_bytes);
  }
  co_return reply;
}

}  // namespace gabion
