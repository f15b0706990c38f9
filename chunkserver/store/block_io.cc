#include "chunkserver/store/block_io.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"

namespace gabion {
namespace {

// A block within the pieces, for the walk along the runs.
struct Cursor {
  std::size_t piece = 0;
  std::size_t index = 0;  // block within the piece
};

std::span<const std::byte> BlockOf(const BlockPiece& piece, std::size_t index) {
  return piece.data.span().subspan(index * kBlockBytes, kBlockBytes);
}

// Takes the bytes of the next `count` blocks that are no holes; their neighbours in memory stay in one slice.
Payload TakeBytes(const std::vector<BlockPiece>& pieces, const std::vector<PlacedBlocks::Placed>& placed,
                  std::size_t& next, Cursor& cursor, std::uint32_t count) {
  Payload payload;
  while (count > 0) {
    while (cursor.index == pieces[cursor.piece].checksums.size()) cursor = {cursor.piece + 1, 0};
    if (placed[next].entry.is_hole()) {
      ++next;
      ++cursor.index;
      continue;
    }
    const BlockPiece& piece = pieces[cursor.piece];
    std::size_t length = 0;
    while (length < count && cursor.index + length < piece.checksums.size() && !placed[next + length].entry.is_hole()) {
      ++length;
    }
    payload.Append(piece.data.Part(cursor.index * kBlockBytes, length * kBlockBytes));
    cursor.index += length;
    next += length;
    count -= static_cast<std::uint32_t>(length);
  }
  return payload;
}

/// Reserves the blocks and writes the pieces to them.
Task<Result<void>> WritePlaced(StoreCore& core, const std::vector<BlockPiece>& pieces, std::uint32_t needed,
                               Purpose purpose, PlacedBlocks& result) {
  Result<Reservation> reserved = co_await core.Reserve(needed, purpose);
  if (!reserved) co_return reserved.error();
  result.reservation = std::move(*reserved);
  std::size_t next = 0;
  std::size_t addressed = 0;
  Cursor cursor;
  for (const BlockRun& run : result.reservation.runs()) {
    Payload payload = TakeBytes(pieces, result.blocks, next, cursor, run.count);
    for (std::uint32_t i = 0; i < run.count; ++addressed) {
      BlockEntry& entry = result.blocks[addressed].entry;
      if (!entry.is_hole()) entry.address = run.first + i++;
    }
    Result<void> written = co_await core.WriteBlocks(run, std::move(payload));
    if (!written) co_return written;
  }
  co_return Result<void>();
}

}  // namespace

Slice Zeros(std::size_t size) {
  static const Slice zeros = [] {
    MutableBuffer buffer(kMaxPayloadBytes);
    std::memset(buffer.data(), 0, buffer.size());
    return std::move(buffer).Share();
  }();
  return zeros.Part(0, size);
}

bool IsZeroBlock(std::span<const std::byte> block, BlockChecksum checksum) {
  if (checksum != ZeroBlockChecksum()) return false;
  return std::memcmp(block.data(), Zeros(kBlockBytes).data(), block.size()) == 0;
}

Task<Result<PlacedBlocks>> PlaceBlocks(StoreCore& core, std::vector<BlockPiece> pieces, Purpose purpose) {
  PlacedBlocks result;
  std::uint32_t needed = 0;
  for (const BlockPiece& piece : pieces) {
    CHECK(piece.data.size() == piece.checksums.size() * kBlockBytes);
    for (std::size_t i = 0; i < piece.checksums.size(); ++i) {
      PlacedBlocks::Placed placed;
      placed.block = static_cast<std::uint16_t>(piece.first_block + i);
      if (!IsZeroBlock(BlockOf(piece, i), piece.checksums[i])) {
        placed.entry = {0, piece.checksums[i]};  // its address follows
        ++needed;
      }
      result.blocks.push_back(placed);
    }
  }
  if (needed == 0) co_return result;
  Result<void> written = co_await WritePlaced(core, pieces, needed, purpose, result);
  // What was let go of for it, something else may have been quicker to take.
  if (!written && written.error().code() == ErrorCode::kNoSpace && purpose == Purpose::kLastResort) {
    written = co_await WritePlaced(core, pieces, needed, purpose, result);
  }
  if (!written) co_return written.error();
  co_return result;
}

std::size_t PageEdit::PageOf(std::uint16_t block) const {
  std::size_t page = block / kBlocksPerPage;
  CHECK(page >= first_page_ && page - first_page_ < before_.size());
  return page - first_page_;
}

void PageEdit::Set(std::uint16_t block, BlockEntry entry, bool shared) {
  std::size_t page = PageOf(block);
  std::size_t index = block % kBlocksPerPage;
  after_[page].blocks[index] = entry;
  if (shared) shared_[page] = static_cast<std::uint16_t>(shared_[page] | (1u << index));
}

std::vector<PageChange> PageEdit::Changes() const {
  std::vector<PageChange> changes;
  for (std::size_t i = 0; i < after_.size(); ++i) {
    if (after_[i] == before_[i]) continue;
    PageKey key{chunk_, static_cast<std::uint16_t>(first_page_ + i)};
    changes.push_back({key, before_[i], after_[i], shared_[i]});
  }
  return changes;
}

}  // namespace gabion
