#include "chunkserver/replication/data_ops.h"
#include "chunkserver/replication/mutation.h"

namespace gabion {
namespace {

Task<Result<void>> ApplyZero(DataContext& context, ChunkZero zero) {
  Result<ExtentStore*> store = co_await context.stores.Find(zero.chunk);
  if (!store) co_return store.error();
  if (*store == nullptr) co_return Result<void>();  // never written: it reads as zeros
  co_return co_await (*store)->Zero(zero);
}

}  // namespace

Task<Result<proto::ZeroChunkReply>> ZeroChunk(DataContext& context, proto::ZeroChunkRequest request, RpcRequest call) {
  CO_TRY(CheckChunkRange(request.offset_bytes(), request.length_bytes()));
  ChunkZero zero;
  zero.chunk = ChunkId(request.target().chunk_id());
  zero.pg = PgId(request.target().pg_id());
  zero.resync = request.target().resync();
  zero.may_spend_reserve = request.target().may_spend_reserve();
  zero.epoch = Epoch(request.target().epoch());
  zero.offset_bytes = request.offset_bytes();
  zero.length_bytes = request.length_bytes();

  Mutation mutation;
  mutation.method = proto::METHOD_ZERO_CHUNK;
  mutation.request = &request;
  mutation.target = request.mutable_target();
  mutation.ranges.push_back({zero.chunk, PageRange::Covering(zero.offset_bytes, zero.length_bytes)});
  Task<Result<void>> apply = ApplyZero(context, zero);
  Result<void> done = co_await Replicate(context, call, std::move(mutation), std::move(apply));
  if (!done) co_return done.error();
  co_return proto::ZeroChunkReply();
}

}  // namespace gabion
