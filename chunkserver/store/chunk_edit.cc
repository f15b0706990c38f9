#include "chunkserver/store/chunk_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace gabion {
namespace {

std::uint16_t BlockAt(std::uint64_t offset_bytes) {
  return static_cast<std::uint16_t>(offset_bytes / kBlockBytes);
}

}  // namespace

Result<void> CheckChunkRange(const char* what, std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  if (length_bytes > 0 && offset_bytes < kChunkBytes && length_bytes <= kChunkBytes - offset_bytes) return {};
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} {} bytes at {} of a chunk, which is not a range of it",
                                                        what, length_bytes, offset_bytes));
}

Task<Result<ChunkEdit>> ChunkEdit::Load(StoreCore& core, ChunkId chunk, PageRange range) {
  Result<std::optional<ChunkRecord>> record = co_await core.FindChunk(chunk);
  if (!record) co_return record.error();
  std::uint32_t length_bytes = record->value_or(ChunkRecord()).length_bytes;
  Result<std::vector<PageRecord>> pages = co_await core.FindPages(chunk, range, length_bytes);
  if (!pages) co_return pages.error();
  std::uint16_t first_block = static_cast<std::uint16_t>(range.first * kBlocksPerPage);
  std::uint16_t last_block = static_cast<std::uint16_t>((range.last + 1) * kBlocksPerPage - 1);
  std::vector<InlineWrite> inlined = core.FindInline(chunk, first_block, last_block);
  PageEdit edit(chunk, range, std::move(*pages));
  co_return ChunkEdit(core, chunk, *record, std::move(edit), std::move(inlined));
}

const InlineBlock* ChunkEdit::FindInline(std::uint16_t block) const {
  auto found =
      std::lower_bound(inlined_.begin(), inlined_.end(), block,
                       [](const InlineWrite& write, std::uint16_t wanted) { return write.key.block < wanted; });
  return found != inlined_.end() && found->key.block == block ? &found->block : nullptr;
}

Task<Result<Slice>> ChunkEdit::CurrentBlock(std::uint16_t block) {
  if (const InlineBlock* found = FindInline(block); found != nullptr) {
    co_return found->is_zero() ? Zeros(kBlockBytes) : found->data;
  }
  BlockEntry entry = pages_.before(block);
  if (entry.is_hole()) co_return Zeros(kBlockBytes);
  co_return co_await core_->ReadVerified(entry);
}

Task<Result<void>> ChunkEdit::PutBytes(std::uint64_t offset_bytes, Slice bytes, std::vector<BlockChecksum> checksums) {
  auto checksum = checksums.begin();
  for (std::size_t at = 0; at < bytes.size();) {
    std::uint16_t block = BlockAt(offset_bytes + at);
    std::size_t in_block = (offset_bytes + at) % kBlockBytes;
    std::size_t whole = RoundDown(bytes.size() - at, kBlockBytes);
    if (in_block == 0 && whole > 0) {
      auto end = checksum + static_cast<std::ptrdiff_t>(whole / kBlockBytes);
      pieces_.push_back({block, bytes.Part(at, whole), {checksum, end}});
      checksum = end;
      at += whole;
      continue;
    }
    std::size_t length = std::min<std::size_t>(bytes.size() - at, kBlockBytes - in_block);
    Slice part = bytes.Part(at, length);
    Result<void> put = co_await PutPart(block, in_block, std::move(part));
    if (!put) co_return put;
    ++checksum;
    at += length;
  }
  co_return Result<void>();
}

Task<Result<void>> ChunkEdit::PutZeros(std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  std::uint64_t end_bytes = offset_bytes + length_bytes;
  while (offset_bytes < end_bytes) {
    std::uint16_t block = BlockAt(offset_bytes);
    std::size_t in_block = offset_bytes % kBlockBytes;
    std::size_t length = std::min<std::uint64_t>(end_bytes - offset_bytes, kBlockBytes - in_block);
    const InlineBlock* in_index = FindInline(block);
    bool is_zero = in_index != nullptr ? in_index->is_zero() : pages_.before(block).is_hole();
    if (length == kBlockBytes) {
      PutHole(block);
    } else if (!is_zero) {
      Slice part = Zeros(length);
      Result<void> put = co_await PutPart(block, in_block, std::move(part));
      if (!put) co_return put;
    }
    offset_bytes += length;
  }
  co_return Result<void>();
}

void ChunkEdit::PutHole(std::uint16_t block) {
  pages_.Set(block, BlockEntry());
  if (FindInline(block) != nullptr) inline_removals_.push_back({chunk_, block});
}

Task<Result<void>> ChunkEdit::PutPart(std::uint16_t block, std::size_t offset_in_block, Slice part) {
  Result<Slice> old_bytes = co_await CurrentBlock(block);
  if (!old_bytes) co_return old_bytes.error();
  MutableBuffer merged(kBlockBytes);
  std::memcpy(merged.data(), old_bytes->data(), kBlockBytes);
  std::memcpy(merged.data() + offset_in_block, part.data(), part.size());
  BlockPiece piece;
  piece.first_block = block;
  piece.checksums.push_back(ChecksumOf(merged.span()));
  piece.data = std::move(merged).Share();
  pieces_.push_back(std::move(piece));
  co_return Result<void>();
}

std::size_t ChunkEdit::PutBlockCount() const {
  std::size_t count = 0;
  for (const BlockPiece& piece : pieces_) count += piece.checksums.size();
  return count;
}

std::vector<InlineWrite> ChunkEdit::TakeInline(bool all) {
  std::vector<InlineWrite> writes;
  if (!all && inlined_.empty()) return writes;
  std::vector<BlockPiece> rest;
  for (const BlockPiece& piece : pieces_) {
    bool extends = false;
    for (std::size_t i = 0; i < piece.checksums.size(); ++i) {
      BlockKey key{chunk_, static_cast<std::uint16_t>(piece.first_block + i)};
      Slice bytes = piece.data.Part(i * kBlockBytes, kBlockBytes);
      if (all || FindInline(key.block) != nullptr) {
        InlineWrite write{key, {}};
        write.block.checksum = piece.checksums[i];
        // A copy, so that four kilobytes do not keep four megabytes in memory.
        if (!IsZeroBlock(bytes.span(), piece.checksums[i])) write.block.data = Slice::CopyOf(bytes.span());
        writes.push_back(std::move(write));
        extends = false;
        continue;
      }
      if (!extends) rest.push_back({key.block, {}, {}});
      extends = true;
      BlockPiece& last = rest.back();
      last.checksums.push_back(piece.checksums[i]);
      std::size_t begin = last.first_block - std::size_t{piece.first_block};
      last.data = piece.data.Part(begin * kBlockBytes, last.checksums.size() * kBlockBytes);
    }
  }
  pieces_ = std::move(rest);
  return writes;
}

Task<Result<void>> ChunkEdit::Commit(ChunkChange change, Place place, Purpose purpose) {
  bool all_inline = place != Place::kSlabs && !pieces_.empty() &&
                    core_->InlineRoom(PutBlockCount(), place == Place::kIndexEvenIfFull);
  IndexChange commit;
  commit.chunk = change;
  commit.inline_writes = TakeInline(all_inline);
  commit.inline_removals = std::move(inline_removals_);
  in_index_only_ = pieces_.empty();
  Result<PlacedBlocks> placed = co_await PlaceBlocks(*core_, std::move(pieces_), purpose);
  if (!placed) co_return placed.error();
  for (const PlacedBlocks::Placed& block : placed->blocks) pages_.Set(block.block, block.entry);
  commit.pages = pages_.Changes();
  co_return co_await core_->Commit(std::move(commit), std::move(placed->reservation));
}

}  // namespace gabion
