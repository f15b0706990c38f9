#include <fmt/format.h>

#include "chunkserver/replication/data_ops.h"
#include "chunkserver/replication/mutation.h"

namespace gabion {
namespace {

// Also of a chunk that was never written: it has to remember the generation.
Task<Result<void>> ApplyTrim(DataContext& context, Env& env, ChunkTrim trim) {
  Result<StoreSet::Place> place = co_await context.stores.FindOrChoose(env, trim.chunk);
  if (!place) co_return place.error();
  co_return co_await place->store->Trim(trim);
}

}  // namespace

Task<Result<proto::TrimChunkReply>> TrimChunk(DataContext& context, proto::TrimChunkRequest request, RpcRequest call) {
  if (request.length_bytes() > kChunkBytes) {
    co_return Error(ErrorCode::kInvalidArgument, fmt::format("no chunk has {} bytes", request.length_bytes()));
  }
  ChunkTrim trim;
  trim.chunk = ChunkId(request.target().chunk_id());
  trim.pg = PgId(request.target().pg_id());
  trim.epoch = Epoch(request.target().epoch());
  trim.length_bytes = request.length_bytes();
  trim.generation = request.generation();

  Mutation mutation;
  mutation.method = proto::METHOD_TRIM_CHUNK;
  mutation.request = &request;
  mutation.target = request.mutable_target();
  // The whole chunk: it also decides by the chunk's length and generation.
  mutation.ranges.push_back({trim.chunk, PageRange::WholeChunk()});
  Task<Result<void>> apply = ApplyTrim(context, *call.env, trim);
  Result<void> done = co_await Replicate(context, call, std::move(mutation), std::move(apply));
  if (!done) co_return done.error();
  co_return proto::TrimChunkReply();
}

}  // namespace gabion
