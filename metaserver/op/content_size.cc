#include "metaserver/op/content_size.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/byte_units.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/removal.h"

namespace gabion {

namespace {

/// Removes chunks from `index` on, in the background if they are many.
Result<void> DropChunksFrom(Txn& txn, OpContext& context, Ino ino, records::Inode& inode, std::uint64_t index) {
  if (index == 0 && inode.has_first_chunk()) {
    MakeGarbage(txn, context, inode.first_chunk());
    inode.clear_first_chunk();
  }
  if (inode.mapped_chunks() == 0) return {};
  const std::uint64_t first_mapped = std::max<std::uint64_t>(index, 1);
  if (inode.dead_from_index() != 0) {  // a reclaim is under way already, of higher indexes
    inode.set_dead_from_index(std::min(inode.dead_from_index(), first_mapped));
    return {};
  }
  TRY_ASSIGN(std::vector<Txn::MappedChunk> chunks, txn.ListChunks(ino, first_mapped, 0, kMaxRecordsPerRemoval + 1));
  if (chunks.size() > kMaxRecordsPerRemoval) {
    inode.set_dead_from_index(first_mapped);
    txn.PutReclaim(ino);
    context.effects.reclaims_added.push_back(ino);
    return {};
  }
  for (const Txn::MappedChunk& mapped : chunks) {
    MakeGarbage(txn, context, mapped.chunk);
    txn.DeleteChunk(ino, mapped.index);
  }
  inode.set_mapped_chunks(inode.mapped_chunks() - std::min<std::uint64_t>(inode.mapped_chunks(), chunks.size()));
  return {};
}

Result<void> CutTo(Txn& txn, OpContext& context, Ino ino, records::Inode& inode, std::uint64_t size_bytes) {
  const std::uint64_t index = size_bytes / kChunkBytes;
  const auto length_bytes = static_cast<std::uint32_t>(size_bytes % kChunkBytes);
  TRY(DropChunksFrom(txn, context, ino, inode, length_bytes == 0 ? index : index + 1));
  // An older mark is at or behind the new end, for a file with a mark does not grow: the new cut covers it.
  inode.clear_trim();
  if (length_bytes == 0) return {};
  TRY_ASSIGN(std::optional<records::Chunk> chunk, FindLiveChunk(txn, ino, inode, index));
  if (!chunk) return {};
  inode.set_cuts(inode.cuts() + 1);
  records::Trim* trim = inode.mutable_trim();
  trim->set_chunk_index(index);
  *trim->mutable_chunk() = *chunk;
  trim->set_length_bytes(length_bytes);
  trim->set_generation(inode.cuts());
  return {};
}

}  // namespace

bool IsLiveIndex(const records::Inode& inode, std::uint64_t index) {
  return inode.dead_from_index() == 0 || index < inode.dead_from_index();
}

Result<std::optional<records::Chunk>> FindLiveChunk(Txn& txn, Ino ino, const records::Inode& inode,
                                                    std::uint64_t index) {
  if (index == 0) return inode.has_first_chunk() ? std::optional(inode.first_chunk()) : std::nullopt;
  if (inode.mapped_chunks() == 0 || !IsLiveIndex(inode, index)) return std::optional<records::Chunk>();
  return txn.FindChunk(ino, index);
}

Result<void> SetContentSize(Txn& txn, OpContext& context, Ino ino, records::Inode& inode, std::uint64_t size_bytes) {
  if (size_bytes > kMaxFileBytes)
    return Error(ErrorCode::kTooLarge, fmt::format("a size of {} bytes; {} is the limit", size_bytes, kMaxFileBytes));
  if (size_bytes > inode.size() && inode.has_trim()) {
    return Error(ErrorCode::kBusy, fmt::format("inode {} was cut: its chunk {} is to be trimmed before the file grows",
                                               ino.value(), inode.trim().chunk_index()));
  }
  // Also if the size stays what it was: with the version that it has a client would take another's change for its own.
  if (size_bytes < inode.size()) {
    TRY(CutTo(txn, context, ino, inode, size_bytes));
    CountUsed(context, inode, std::min(inode.used_bytes(), RoundUp(size_bytes, kBlockBytes)));
  }
  inode.set_size(size_bytes);
  inode.set_data_version(context.state.NextDataVersion(inode.data_version()));
  return {};
}

}  // namespace gabion
