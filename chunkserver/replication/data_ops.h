#pragma once

#include "chunkserver/replication/data_context.h"
#include "common/rpc/rpc_server.h"
#include "proto/data.pb.h"

namespace gabion {

/// The data calls (proto/data.proto), one file each. Each runs on the loop of its connection. All may answer what
/// Membership::CheckRead says; changes also what Replicate says; kOverloaded; what ExtentStore says.

/// Errors: also kCorrupt: the payload does not fit its checksums; nothing has changed.
Task<Result<proto::WriteChunkReply>> WriteChunk(DataContext& context, proto::WriteChunkRequest request,
                                                RpcRequest call);
/// Answers with a payload. Errors: also kCorrupt: a block on disk does not fit its checksum; read another replica.
Task<Result<RpcResponse>> ReadChunk(DataContext& context, RpcRequest call);
Task<Result<proto::SyncChunksReply>> SyncChunks(DataContext& context, proto::SyncChunksRequest request,
                                                RpcRequest call);
Task<Result<proto::TrimChunkReply>> TrimChunk(DataContext& context, proto::TrimChunkRequest request, RpcRequest call);
Task<Result<proto::ZeroChunkReply>> ZeroChunk(DataContext& context, proto::ZeroChunkRequest request, RpcRequest call);
Task<Result<proto::CopyChunkReply>> CopyChunk(DataContext& context, proto::CopyChunkRequest request, RpcRequest call);
Task<Result<proto::StatChunkReply>> StatChunk(DataContext& context, proto::StatChunkRequest request, RpcRequest call);
/// Has the Scrubber look at the chunk before all others; answers at once. Errors: kInvalidArgument for other members
/// than the primary; kOverloaded: too many wait.
Task<Result<proto::ScrubChunkReply>> ScrubChunkSoon(DataContext& context, proto::ScrubChunkRequest request,
                                                    RpcRequest call);
/// For the metaserver and administrators. Errors: kUnauthenticated for anybody else; kInvalidArgument.
Task<Result<proto::ListStoredChunksReply>> ListStoredChunks(DataContext& context,
                                                            proto::ListStoredChunksRequest request, RpcRequest call);

/// Registers all of them. `context` outlives the server.
void RegisterDataOps(RpcServer& server, DataContext& context);

}  // namespace gabion
