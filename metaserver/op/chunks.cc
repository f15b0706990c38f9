#include <fmt/format.h>

#include <map>

#include "common/base/byte_units.h"
#include "metaserver/op/access.h"
#include "metaserver/op/content_size.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"

namespace gabion::op {

namespace {

constexpr int kMaxAllocated = 64;
constexpr std::uint32_t kMaxListed = 1024;
constexpr std::uint64_t kMaxChunks = kMaxFileBytes / kChunkBytes + 1;

Result<void> CheckRange(std::uint64_t first_index, std::uint64_t count, std::uint64_t max_count) {
  if (count == 0 || count > max_count)
    return Error(ErrorCode::kInvalidArgument, fmt::format("{} chunks; 1 to {} may be asked for", count, max_count));
  if (first_index >= kMaxChunks || count > kMaxChunks - first_index) {
    return Error(ErrorCode::kTooLarge, fmt::format("chunk {} is beyond the largest file", first_index));
  }
  return {};
}

void SetRef(const records::Chunk& chunk, proto::ChunkRef* ref) {
  ref->set_chunk_id(chunk.chunk_id());
  ref->set_pg_id(chunk.pg_id());
}

/// A new chunk for a hole. Errors: kInvalidArgument, kUnavailable, kNoSpace.
Result<records::Chunk> NewChunk(std::uint64_t chunk_id, const OpContext& context) {
  if (chunk_id == 0 || (context.session != nullptr && !context.session->chunk_ids.Contains(chunk_id))) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("chunk id {} is not delegated to the session", chunk_id));
  }
  TRY_ASSIGN(const PgId pg, context.placement.Choose(context.state.record.replicas(), context.random));
  records::Chunk chunk;
  chunk.set_chunk_id(chunk_id);
  chunk.set_pg_id(pg.value());
  return chunk;
}

}  // namespace

Result<proto::AllocateChunksReply> AllocateChunks(Txn& txn, const proto::AllocateChunksRequest& request,
                                                  OpContext& context) {
  const Ino ino(request.ino());
  TRY(CheckRange(request.first_index(), static_cast<std::uint64_t>(request.chunk_ids_size()), kMaxAllocated));
  TRY_ASSIGN(records::Inode inode, GetRegular(txn, ino));
  TRY(RequireDataAccess(ino, inode, context, kMayWrite));
  const std::uint64_t end_index = request.first_index() + static_cast<std::uint64_t>(request.chunk_ids_size());
  if (!IsLiveIndex(inode, end_index - 1)) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("inode {} was cut, and its old chunks are still being removed", ino.value()));
  }
  std::map<std::uint64_t, records::Chunk> present;
  if (request.first_index() == 0 && inode.has_first_chunk()) present[0] = inode.first_chunk();
  if (inode.mapped_chunks() > 0) {
    TRY_ASSIGN(std::vector<Txn::MappedChunk> chunks,
               txn.ListChunks(ino, request.first_index(), end_index, kMaxAllocated));
    for (const Txn::MappedChunk& mapped : chunks) present[mapped.index] = mapped.chunk;
  }

  proto::AllocateChunksReply reply;
  bool changed = false;
  std::uint64_t index = request.first_index();
  for (std::uint64_t chunk_id : request.chunk_ids()) {
    auto found = present.find(index);
    if (found == present.end()) {
      TRY_ASSIGN(const records::Chunk chunk, NewChunk(chunk_id, context));
      found = present.emplace(index, chunk).first;
      if (index == 0) {
        *inode.mutable_first_chunk() = chunk;
      } else {
        txn.PutChunk(ino, index, chunk);
        inode.set_mapped_chunks(inode.mapped_chunks() + 1);
      }
      changed = true;
    }
    SetRef(found->second, reply.add_chunks());
    ++index;
  }
  if (changed) txn.PutInode(ino, inode);
  return reply;
}

Result<proto::GetChunksReply> GetChunks(Txn& txn, const proto::GetChunksRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  TRY(CheckRange(request.first_index(), request.count(), kMaxListed));
  TRY_ASSIGN(const records::Inode inode, GetRegular(txn, ino));
  if (!context.SessionHasOpen(ino) && !MayAccess(inode, context.caller, kMayWrite)) {
    TRY(RequireAccess(inode, context.caller, kMayRead));
  }
  proto::GetChunksReply reply;
  for (std::uint32_t i = 0; i < request.count(); ++i) reply.add_chunks();
  if (request.first_index() == 0 && inode.has_first_chunk()) SetRef(inode.first_chunk(), reply.mutable_chunks(0));
  if (inode.mapped_chunks() == 0) return reply;
  TRY_ASSIGN(std::vector<Txn::MappedChunk> chunks,
             txn.ListChunks(ino, request.first_index(), request.first_index() + request.count(), request.count()));
  for (const Txn::MappedChunk& mapped : chunks) {
    if (!IsLiveIndex(inode, mapped.index)) break;
    SetRef(mapped.chunk, reply.mutable_chunks(static_cast<int>(mapped.index - request.first_index())));
  }
  return reply;
}

}  // namespace gabion::op
