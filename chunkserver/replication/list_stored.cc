#include <fmt/format.h>

#include "chunkserver/replication/data_ops.h"

namespace gabion {
namespace {

void AddStored(ChunkId chunk, PgId pg, proto::ListStoredChunksReply& reply) {
  proto::StoredChunk* entry = reply.add_chunks();
  entry->set_chunk_id(chunk.value());
  entry->set_pg_id(pg.value());
}

/// Those of the asked-for chunks that are here.
Task<Result<proto::ListStoredChunksReply>> FindStored(StoreSet& stores, proto::ListStoredChunksRequest request) {
  proto::ListStoredChunksReply reply;
  reply.set_end(true);
  for (std::uint64_t id : request.chunk_ids()) {
    ChunkId chunk(id);
    Result<ExtentStore*> store = co_await stores.Find(chunk);
    if (!store) co_return store.error();
    if (*store == nullptr) continue;
    Result<std::optional<ChunkRecord>> record = co_await (*store)->Find(chunk);
    if (!record) co_return record.error();
    if (record->has_value()) AddStored(chunk, (*record)->pg, reply);
  }
  co_return reply;
}

}  // namespace

Task<Result<proto::ListStoredChunksReply>> ListStoredChunks(DataContext& context,
                                                            proto::ListStoredChunksRequest request, RpcRequest call) {
  if (call.caller.role != proto::ROLE_METASERVER && call.caller.role != proto::ROLE_ADMIN)
    co_return Error(ErrorCode::kUnauthenticated, "only the metaserver and administrators may list what is stored");
  if (static_cast<std::size_t>(request.chunk_ids_size()) > kListEntriesMax) {
    co_return Error(ErrorCode::kInvalidArgument,
                    fmt::format("{} chunks in one call, not at most {}", request.chunk_ids_size(), kListEntriesMax));
  }
  if (!request.chunk_ids().empty()) co_return co_await FindStored(context.stores, std::move(request));
  Result<ListedChunks> page = co_await context.stores.ListStored(ChunkId(request.after_chunk()), request.max_entries());
  if (!page) co_return page.error();
  proto::ListStoredChunksReply reply;
  for (const ListedChunk& chunk : page->chunks) AddStored(chunk.chunk, chunk.pg, reply);
  reply.set_end(page->end);
  co_return reply;
}

}  // namespace gabion
