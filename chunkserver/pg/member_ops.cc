#include "chunkserver/pg/member_ops.h"

#include <fmt/format.h>

#include <algorithm>

#include "chunkserver/pg/read_digest.h"
#include "chunkserver/replication/mutation.h"
#include "chunkserver/replication/register_op.h"

namespace gabion {
namespace {

/// Whether the primary may ask this now. Both messages with a target of a PG have these fields.
template <typename Target>
Result<void> CheckAsked(DataContext& context, const Target& target, const RpcRequest& call) {
  ServerId caller = CallingServer(call);
  TRY_ASSIGN([[maybe_unused]] Membership::Serving serving,
             context.membership.CheckAsked(PgId(target.pg_id()), Epoch(target.epoch()), caller, call.env->clock.Now()));
  if (context.fences.Accept(caller, target.fence())) return {};
  return Error(ErrorCode::kUnavailable, "a call that the primary had given up already");
}

Result<void> CheckCount(int count) {
  if (count <= static_cast<int>(kChunksPerCallMax)) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} chunks in one call, not at most {}", count, kChunksPerCallMax));
}

void Put(const ChunkSummary& summary, proto::ChunkSummary& entry) {
  entry.set_chunk_id(summary.chunk.value());
  entry.set_exists(summary.exists);
  entry.set_length_bytes(summary.length_bytes);
  entry.set_trim_generation(summary.trim_generation);
  entry.set_digest(summary.digest);
}

/// Adds what is under way to a page of the list, so that the page is what the list has between its first and last
/// chunk.
void AddChanging(const std::vector<ChunkId>& changing, ChunkId after, proto::ListChunksReply& reply) {
  std::uint64_t last = reply.end() ? UINT64_MAX : reply.chunks().rbegin()->chunk_id();
  for (ChunkId chunk : changing) {
    if (chunk <= after || chunk.value() > last) continue;
    auto found = std::find_if(reply.mutable_chunks()->begin(), reply.mutable_chunks()->end(),
                              [&](const proto::ChunkSummary& entry) { return entry.chunk_id() == chunk.value(); });
    proto::ChunkSummary& entry = found == reply.mutable_chunks()->end() ? *reply.add_chunks() : *found;
    entry.set_chunk_id(chunk.value());
    entry.set_changing(true);
  }
}

}  // namespace

Task<Result<proto::ListChunksReply>> ListChunks(DataContext& context, proto::ListChunksRequest request,
                                                RpcRequest call) {
  CO_TRY(CheckAsked(context, request.pg(), call));
  CO_TRY(CheckCount(static_cast<int>(std::min<std::uint32_t>(request.max_entries(), kChunksPerCallMax + 1))));
  PgId pg(request.pg().pg_id());
  // Before the list is read: what is under way now may not be in it, and what is not will be refused.
  std::vector<ChunkId> changing = context.pgs.ChangesOf(pg);
  ListQuery query;
  query.pg = pg;
  query.unsettled = request.unsettled();
  query.by_epoch = request.by_epoch();
  query.after_epoch = Epoch(request.after_epoch());
  query.after = ChunkId(request.after_chunk());
  query.max_entries = request.max_entries();
  Result<ChunkPage> page = co_await context.stores.List(query);
  if (!page) co_return page.error();
  proto::ListChunksReply reply;
  for (const ChunkSummary& summary : page->chunks) Put(summary, *reply.add_chunks());
  reply.set_end(page->end);
  if (request.unsettled()) AddChanging(changing, query.after, reply);
  co_return reply;
}

Task<Result<proto::DigestChunkReply>> DigestChunk(DataContext& context, proto::DigestChunkRequest request,
                                                  RpcRequest call) {
  CO_TRY(CheckAsked(context, request.target(), call));
  if (request.page_count() == 0 || request.page_count() > kPagesPerDigestMax ||
      request.first_page() > kPagesPerChunk - request.page_count()) {
    co_return Error(ErrorCode::kInvalidArgument, "a digest of pages that are not in a chunk");
  }
  ChunkId chunk(request.target().chunk_id());
  PageRange pages{static_cast<std::uint16_t>(request.first_page()),
                  static_cast<std::uint16_t>(request.first_page() + request.page_count() - 1)};
  // Changes of older epochs that are under way end first.
  RangeLocks::Guard guard = co_await context.order.Lock(chunk, pages);
  CO_TRY(CheckAsked(context, request.target(), call));
  Result<ChunkDigest> digest = co_await context.stores.Digest(chunk, request.first_page(), request.page_count());
  if (!digest) co_return digest.error();
  if (request.of_bytes()) CO_TRY(co_await ReadIntoDigest(context.stores, chunk, request.first_page(), *digest));
  proto::DigestChunkReply reply;
  reply.set_exists(digest->exists);
  reply.set_length_bytes(digest->length_bytes);
  reply.set_trim_generation(digest->trim_generation);
  reply.mutable_checksums()->Assign(digest->checksums.begin(), digest->checksums.end());
  co_return reply;
}

Task<Result<proto::AdoptChunksReply>> AdoptChunks(DataContext& context, proto::AdoptChunksRequest request,
                                                  RpcRequest call) {
  CO_TRY(CheckAsked(context, request.pg(), call));
  CO_TRY(CheckCount(request.chunks_size()));
  for (const proto::AdoptedChunk& chunk : request.chunks()) {
    if (chunk.chunk_id() == 0 || chunk.length_bytes() > kChunkBytes) {
      co_return Error(ErrorCode::kInvalidArgument, "a chunk to adopt that cannot be");
    }
    AdoptChunk adopted;
    adopted.chunk = ChunkId(chunk.chunk_id());
    adopted.pg = PgId(request.pg().pg_id());
    adopted.epoch = Epoch(request.pg().epoch());
    adopted.exists = chunk.exists();
    adopted.length_bytes = chunk.length_bytes();
    adopted.trim_generation = chunk.trim_generation();
    adopted.unsettled = chunk.unsettled();
    adopted.may_return = true;  // its first write may have been taken back, to be sent again
    RangeLocks::Guard guard = co_await context.order.Lock(adopted.chunk, PageRange::WholeChunk());
    CO_TRY(CheckAsked(context, request.pg(), call));
    Result<void> done = co_await context.stores.Adopt(*call.env, adopted);
    // One that was removed here with its file is on its way out on the primary, too.
    if (!done && done.error().code() != ErrorCode::kStale) co_return done.error();
  }
  co_return proto::AdoptChunksReply();
}

Task<Result<proto::PgSettledReply>> PgSettled(DataContext& context, proto::PgSettledRequest request, RpcRequest call) {
  CO_TRY(CheckAsked(context, request.pg(), call));
  context.pgs.SetSettled(PgId(request.pg().pg_id()), Epoch(request.pg().epoch()));
  co_return proto::PgSettledReply();
}

Task<Result<proto::ClearUnsettledReply>> ClearUnsettled(DataContext& context, proto::ClearUnsettledRequest request,
                                                        RpcRequest call) {
  CO_TRY(CheckAsked(context, request.pg(), call));
  CO_TRY(CheckCount(request.chunk_ids_size()));
  PgId pg(request.pg().pg_id());
  std::vector<ChunkId> chunks;
  for (std::uint64_t id : request.chunk_ids()) {
    ChunkId chunk(id);
    if (!context.pgs.IsChanging(pg, chunk)) chunks.push_back(chunk);
  }
  Result<void> cleared = co_await context.stores.ClearUnsettled(pg, std::move(chunks));
  if (!cleared) co_return cleared.error();
  co_return proto::ClearUnsettledReply();
}

Task<Result<proto::SyncPgReply>> SyncPg(DataContext& context, proto::SyncPgRequest request, RpcRequest call) {
  CO_TRY(CheckAsked(context, request.pg(), call));
  Result<void> synced = co_await context.stores.Sync();
  if (!synced) co_return synced.error();
  co_return proto::SyncPgReply();
}

void RegisterMemberOps(RpcServer& server, DataContext& context) {
  RegisterOp(server, context, proto::METHOD_LIST_CHUNKS, &ListChunks);
  RegisterOp(server, context, proto::METHOD_DIGEST_CHUNK, &DigestChunk);
  RegisterOp(server, context, proto::METHOD_ADOPT_CHUNKS, &AdoptChunks);
  RegisterOp(server, context, proto::METHOD_PG_SETTLED, &PgSettled);
  RegisterOp(server, context, proto::METHOD_CLEAR_UNSETTLED, &ClearUnsettled);
  RegisterOp(server, context, proto::METHOD_SYNC_PG, &SyncPg);
}

}  // namespace gabion
