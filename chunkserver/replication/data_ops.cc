#include "chunkserver/replication/data_ops.h"

#include "chunkserver/replication/register_op.h"

namespace gabion {
void RegisterDataOps(RpcServer& server, DataContext& context) {
  server.Handle(proto::METHOD_READ_CHUNK, [&context](RpcRequest call) { return ReadChunk(context, std::move(call)); });
  RegisterOp(server, context, proto::METHOD_WRITE_CHUNK, &WriteChunk);
  RegisterOp(server, context, proto::METHOD_SYNC_CHUNKS, &SyncChunks);
  RegisterOp(server, context, proto::METHOD_TRIM_CHUNK, &TrimChunk);
  RegisterOp(server, context, proto::METHOD_ZERO_CHUNK, &ZeroChunk);
  RegisterOp(server, context, proto::METHOD_COPY_CHUNK, &CopyChunk);
  RegisterOp(server, context, proto::METHOD_STAT_CHUNK, &StatChunk);
  RegisterOp(server, context, proto::METHOD_SCRUB_CHUNK, &ScrubChunkSoon);
  RegisterOp(server, context, proto::METHOD_LIST_STORED_CHUNKS, &ListStoredChunks);
}

}  // namespace gabion
