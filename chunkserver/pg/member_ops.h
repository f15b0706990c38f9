#pragma once

#include "chunkserver/replication/data_context.h"
#include "common/rpc/rpc_server.h"
#include "proto/data.pb.h"

namespace gabion {

/// What a member of a placement group does when its primary asks (docs/replication.md), in sync or joining. Each runs
/// on the loop of its connection. All may answer what Membership::CheckAsked says; kUnavailable: the primary has given
/// this call up; what StoreSet says.

/// From the answer on, changes of older epochs are refused here.
Task<Result<proto::ListChunksReply>> ListChunks(DataContext& context, proto::ListChunksRequest request,
                                                RpcRequest call);
Task<Result<proto::DigestChunkReply>> DigestChunk(DataContext& context, proto::DigestChunkRequest request,
                                                  RpcRequest call);
Task<Result<proto::AdoptChunksReply>> AdoptChunks(DataContext& context, proto::AdoptChunksRequest request,
                                                  RpcRequest call);
Task<Result<proto::PgSettledReply>> PgSettled(DataContext& context, proto::PgSettledRequest request, RpcRequest call);
Task<Result<proto::ClearUnsettledReply>> ClearUnsettled(DataContext& context, proto::ClearUnsettledRequest request,
                                                        RpcRequest call);
Task<Result<proto::SyncPgReply>> SyncPg(DataContext& context, proto::SyncPgRequest request, RpcRequest call);

/// Registers all of them. `context` outlives the server.
void RegisterMemberOps(RpcServer& server, DataContext& context);

/// Chunks of one call, at most.
inline constexpr std::uint32_t kChunksPerCallMax = 4096;
/// Pages of one DigestChunk, at most: 4 MiB.
inline constexpr std::uint32_t kPagesPerDigestMax = 64;

}  // namespace gabion
