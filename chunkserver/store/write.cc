// ExtentStore::Write: new bytes go to free blocks, or, if they are few and must be durable at once, into the index itself.
#include <algorithm>
#include <cstring>

#include "chunkserver/store/block_io.h"
#include "chunkserver/store/extent_store.h"

namespace gabion {
namespace {

std::uint16_t BlockAt(std::uint64_t offset_bytes) { return static_cast<std::uint16_t>(offset_bytes / kBlockBytes); }

Result<void> CheckWrite(const ChunkWrite& write, const Slice& bytes) {
  if (bytes.empty() || bytes.size() > kMaxPayloadBytes || write.offset_bytes > kChunkBytes - bytes.size()) {
    return Error(ErrorCode::kInvalidArgument, "a write of " + std::to_string(bytes.size()) + " bytes at " +
                                                  std::to_string(write.offset_bytes) + " does not fit a chunk");
  }
  if (PieceChecksums(write.offset_bytes, bytes.span()) != write.checksums) {
    return Error(ErrorCode::kCorrupt, "the bytes of a write do not fit its checksums: they were damaged on the way");
  }
  return {};
}

// The block that results from putting `part` at `offset` of a block that had `old_bytes`.
BlockPiece Merge(std::uint16_t block, const Slice& old_bytes, std::size_t offset, std::span<const std::byte> part) {
  MutableBuffer merged(kBlockBytes);
  std::memcpy(merged.data(), old_bytes.data(), kBlockBytes);
  std::memcpy(merged.data() + offset, part.data(), part.size());
  BlockPiece piece;
  piece.first_block = block;
  piece.checksums.push_back(ChecksumOf(merged.span()));
  piece.data = std::move(merged).Share();
  return piece;
}

// Takes the blocks out of `pieces` that must be written inline: all, or those that are inline already.
std::vector<InlineWrite> TakeInline(ChunkId chunk, bool all, const std::vector<InlineWrite>& inlined,
                                    std::vector<BlockPiece>& pieces) {
  std::vector<InlineWrite> writes;
  if (!all && inlined.empty()) return writes;
  std::vector<BlockPiece> rest;
  for (const BlockPiece& piece : pieces) {
    bool extends = false;
    for (std::size_t i = 0; i < piece.checksums.size(); ++i) {
      BlockKey key{chunk, static_cast<std::uint16_t>(piece.first_block + i)};
      Slice bytes = piece.data.Part(i * kBlockBytes, kBlockBytes);
      bool is_inline =
          all || std::any_of(inlined.begin(), inlined.end(), [&](const InlineWrite& write) { return write.key == key; });
      if (is_inline) {
        InlineWrite write{key, {}};
        write.block.checksum = piece.checksums[i];
        // A copy, so that four kilobytes do not keep four megabytes in memory.
        if (!IsZeroBlock(bytes.span(), piece.checksums[i])) write.block.data = Slice::CopyOf(bytes.span());
        writes.push_back(std::move(write));
        extends = false;
        continue;
      }
      if (!extends) {
        rest.emplace_back();
        rest.back().first_block = key.block;
      }
      extends = true;
      rest.back().checksums.push_back(piece.checksums[i]);
      std::size_t begin = rest.back().first_block - std::size_t{piece.first_block};
      rest.back().data = piece.data.Part(begin * kBlockBytes, rest.back().checksums.size() * kBlockBytes);
    }
  }
  pieces = std::move(rest);
  return writes;
}

}  // namespace

Task<Result<void>> ExtentStore::Write(ChunkWrite write) {
  Slice bytes = write.payload.Joined();
  CO_TRY(CheckWrite(write, bytes));
  CO_TRY(core_.CheckOnline());
  co_await core_.WaitForRoom();
  PageRange range = PageRange::Covering(write.offset_bytes, bytes.size());
  RangeLocks::Guard guard = co_await core_.locks().Lock(write.chunk, range);

  // Load.
  Result<std::optional<ChunkRecord>> found = co_await core_.FindChunk(write.chunk);
  if (!found) co_return found.error();
  std::uint32_t old_length = found->value_or(ChunkRecord()).length_bytes;
  Result<std::vector<PageRecord>> pages = co_await core_.FindPages(write.chunk, range, old_length);
  if (!pages) co_return pages.error();
  PageEdit edit(write.chunk, range, std::move(*pages));
  std::uint64_t end_bytes = write.offset_bytes + bytes.size();
  std::vector<InlineWrite> inlined = core_.FindInline(write.chunk, BlockAt(write.offset_bytes), BlockAt(end_bytes - 1));

  // Make whole blocks of what came: a part of a block is merged with what is stored.
  std::vector<BlockPiece> pieces;
  std::size_t piece_index = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    std::uint64_t offset = write.offset_bytes + at;
    std::size_t in_block = offset % kBlockBytes;
    std::size_t whole = RoundDown(bytes.size() - at, kBlockBytes);
    if (in_block == 0 && whole > 0) {
      BlockPiece piece;
      piece.first_block = BlockAt(offset);
      piece.data = bytes.Part(at, whole);
      auto first = write.checksums.begin() + static_cast<std::ptrdiff_t>(piece_index);
      piece.checksums.assign(first, first + static_cast<std::ptrdiff_t>(whole / kBlockBytes));
      pieces.push_back(std::move(piece));
      piece_index += whole / kBlockBytes;
      at += whole;
      continue;
    }
    std::size_t length = std::min<std::size_t>(bytes.size() - at, kBlockBytes - in_block);
    BlockKey key{write.chunk, BlockAt(offset)};
    BlockEntry entry = edit.before(key.block);
    Result<Slice> old_bytes = co_await CurrentBlock(core_, entry, inlined, key);
    if (!old_bytes) co_return old_bytes.error();
    pieces.push_back(Merge(key.block, *old_bytes, in_block, bytes.span().subspan(at, length)));
    ++piece_index;
    at += length;
  }

  // Write and commit.
  std::size_t block_count = BlockAt(end_bytes - 1) - std::size_t{BlockAt(write.offset_bytes)} + 1;
  bool all_inline =
      write.sync && bytes.size() <= core_.options().inline_write_bytes_max && core_.InlineRoom(block_count);
  IndexChange change;
  change.inline_writes = TakeInline(write.chunk, all_inline, inlined, pieces);
  bool in_slabs = !pieces.empty();
  Result<PlacedBlocks> placed = co_await PlaceBlocks(core_, std::move(pieces));
  if (!placed) co_return placed.error();
  for (const PlacedBlocks::Placed& block : placed->blocks) edit.Set(block.block, block.entry);
  change.pages = edit.Changes();
  change.chunk = ChunkChange();
  change.chunk->chunk = write.chunk;
  change.chunk->pg = write.pg;
  change.chunk->epoch = write.epoch;
  change.chunk->grow_to_bytes = static_cast<std::uint32_t>(end_bytes);
  Result<void> committed = co_await core_.Commit(std::move(change), std::move(placed->reservation));
  if (!committed || !write.sync) co_return committed;
  RangeLocks::Guard unlocked = std::move(guard);
  unlocked = RangeLocks::Guard();  // who overlaps need not wait for the disk
  if (in_slabs) co_return co_await core_.Sync();
  co_return co_await core_.SyncIndex();
}

}  // namespace gabion
