#include <fmt/format.h>

#include "chunkserver/replication/data_ops.h"
#include "chunkserver/replication/mutation.h"

namespace gabion {
namespace {

Result<void> CheckRequest(const proto::WriteChunkRequest& request, const Payload& payload) {
  TRY(CheckChunkRange(request.offset_bytes(), payload.size()));
  std::uint64_t first_block = request.offset_bytes() / kBlockBytes;
  std::uint64_t end_block = RoundUp(request.offset_bytes() + payload.size(), kBlockBytes) / kBlockBytes;
  if (static_cast<std::uint64_t>(request.checksums_size()) != end_block - first_block) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a write of {} bytes at {} with {} checksums, not {}", payload.size(),
                             request.offset_bytes(), request.checksums_size(), end_block - first_block));
  }
  return {};
}

Task<Result<void>> ApplyWrite(DataContext& context, Env& env, ChunkWrite write) {
  Result<StoreSet::Place> place = co_await context.stores.FindOrChoose(env, write.chunk);
  if (!place) co_return place.error();
  co_return co_await place->store->Write(std::move(write));
}

}  // namespace

Task<Result<proto::WriteChunkReply>> WriteChunk(DataContext& context, proto::WriteChunkRequest request,
                                                RpcRequest call) {
  CO_TRY(CheckRequest(request, call.payload));
  Result<Admission::Ticket> ticket = context.admission.Admit(call.payload.size(), request.target().replica());
  if (!ticket) co_return ticket.error();

  ChunkWrite write;
  write.chunk = ChunkId(request.target().chunk_id());
  write.pg = PgId(request.target().pg_id());
  write.epoch = Epoch(request.target().epoch());
  write.offset_bytes = request.offset_bytes();
  write.payload = call.payload;
  write.checksums.assign(request.checksums().begin(), request.checksums().end());
  write.sync = request.sync();
  write.resync = request.target().resync();
  write.may_spend_reserve = request.target().may_spend_reserve();

  Mutation mutation;
  mutation.method = proto::METHOD_WRITE_CHUNK;
  mutation.request = &request;
  mutation.target = request.mutable_target();
  mutation.payload = call.payload;
  mutation.ranges.push_back({write.chunk, PageRange::Covering(request.offset_bytes(), call.payload.size())});
  Task<Result<void>> apply = ApplyWrite(context, *call.env, std::move(write));
  Result<void> done = co_await Replicate(context, call, std::move(mutation), std::move(apply));
  if (!done) co_return done.error();
  co_return proto::WriteChunkReply();
}

}  // namespace gabion
