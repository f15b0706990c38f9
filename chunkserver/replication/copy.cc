#include <algorithm>

#include "chunkserver/replication/data_ops.h"
#include "chunkserver/replication/mutation.h"
#include "chunkserver/replication/read_verified.h"

namespace gabion {
namespace {

// Bytes held at a time while a copy goes from disk to disk.
constexpr std::uint32_t kCopyStepBytes = 1 * kMiB;

/// [offset, offset + length) of a chunk, verified; what it has not as zeros.
Task<Result<Payload>> ReadBytes(ExtentStore& store, ChunkId chunk, std::uint64_t offset_bytes,
                                std::uint64_t length_bytes) {
  std::uint64_t first = RoundDown(offset_bytes, kBlockBytes);
  std::uint64_t end = RoundUp(offset_bytes + length_bytes, kBlockBytes);
  Result<ChunkRead> read =
      co_await ReadVerified(store, chunk, static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(end - first));
  if (!read) co_return read.error();
  MutableBuffer bytes(end - first);
  std::fill(bytes.span().begin(), bytes.span().end(), std::byte{0});
  read->payload.CopyTo(bytes.data());
  Slice whole = std::move(bytes).Share();
  co_return Payload(whole.Part(offset_bytes - first, length_bytes));
}

/// Between two disks: blocks cannot be shared.
Task<Result<void>> CopyAcross(ExtentStore& from, ExtentStore& to, ChunkCopy copy) {
  for (std::uint32_t done = 0; done < copy.length_bytes;) {
    std::uint32_t step = std::min(kCopyStepBytes, copy.length_bytes - done);
    Result<Payload> bytes = co_await ReadBytes(from, copy.source, copy.source_offset_bytes + done, step);
    if (!bytes) co_return bytes.error();
    ChunkWrite write;
    write.chunk = copy.target;
    write.pg = copy.pg;
    write.epoch = copy.epoch;
    write.offset_bytes = copy.offset_bytes + done;
    write.checksums = PieceChecksums(write.offset_bytes, bytes->slices().front().span());
    write.payload = std::move(*bytes);
    Result<void> written = co_await to.Write(std::move(write));
    if (!written) co_return written;
    done += step;
  }
  co_return Result<void>();
}

Task<Result<void>> ApplyCopy(DataContext& context, Env& env, ChunkCopy copy) {
  Result<ExtentStore*> source = co_await context.stores.Find(copy.source);
  if (!source) co_return source.error();
  Result<StoreSet::Place> place = co_await context.stores.FindOrChoose(env, copy.target, *source);
  if (!place) co_return place.error();
  if (*source == nullptr || *source == place->store) co_return co_await place->store->Copy(copy);
  co_return co_await CopyAcross(**source, *place->store, copy);
}

/// Locks are taken in one order everywhere. Within a chunk the two ranges may share a page: then they are one.
std::vector<Mutation::Range> RangesOf(const ChunkCopy& copy) {
  PageRange read = PageRange::Covering(copy.source_offset_bytes, copy.length_bytes);
  PageRange written = PageRange::Covering(copy.offset_bytes, copy.length_bytes);
  if (copy.source == copy.target) {
    return {{copy.target, {std::min(read.first, written.first), std::max(read.last, written.last)}}};
  }
  std::vector<Mutation::Range> ranges{{copy.source, read}, {copy.target, written}};
  if (copy.target < copy.source) std::swap(ranges.front(), ranges.back());
  return ranges;
}

Result<void> CheckRequest(const proto::CopyChunkRequest& request) {
  TRY(CheckChunkRange(request.offset_bytes(), request.length_bytes()));
  TRY(CheckChunkRange(request.source_offset_bytes(), request.length_bytes()));
  if (request.source_chunk_id() == 0) return Error(ErrorCode::kInvalidArgument, "a copy that names no source chunk");
  std::uint64_t apart = request.offset_bytes() > request.source_offset_bytes()
                            ? request.offset_bytes() - request.source_offset_bytes()
                            : request.source_offset_bytes() - request.offset_bytes();
  if (request.source_chunk_id() == request.target().chunk_id() && apart < request.length_bytes()) {
    return Error(ErrorCode::kInvalidArgument, "the ranges of a copy within a chunk overlap");
  }
  return {};
}

}  // namespace

Task<Result<proto::CopyChunkReply>> CopyChunk(DataContext& context, proto::CopyChunkRequest request, RpcRequest call) {
  CO_TRY(CheckRequest(request));
  ChunkCopy copy;
  copy.source = ChunkId(request.source_chunk_id());
  copy.target = ChunkId(request.target().chunk_id());
  copy.pg = PgId(request.target().pg_id());
  copy.epoch = Epoch(request.target().epoch());
  copy.source_offset_bytes = request.source_offset_bytes();
  copy.offset_bytes = request.offset_bytes();
  copy.length_bytes = request.length_bytes();

  Mutation mutation;
  mutation.method = proto::METHOD_COPY_CHUNK;
  mutation.request = &request;
  mutation.target = request.mutable_target();
  mutation.ranges = RangesOf(copy);
  Task<Result<void>> apply = ApplyCopy(context, *call.env, copy);
  Result<void> done = co_await Replicate(context, call, std::move(mutation), std::move(apply));
  if (!done) co_return done.error();
  co_return proto::CopyChunkReply();
}

}  // namespace gabion
