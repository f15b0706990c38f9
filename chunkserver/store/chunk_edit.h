#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "chunkserver/store/block_io.h"
#include "chunkserver/store/store_core.h"

namespace gabion {

/// How much of a chunk one commit of a long operation changes.
inline constexpr std::uint64_t kStepBytes = 8 * kMiB;

/// Errors: kInvalidArgument if the range is empty or not within a chunk; `what` begins the message.
Result<void> CheckChunkRange(const char* what, std::uint64_t offset_bytes, std::uint64_t length_bytes);

/// What one operation changes in some pages of a chunk, from looking them up to the commit. Its maker holds the lock of
/// these pages all the while. A block is put once.
class ChunkEdit {
 public:
  /// As things are. Errors: kCorrupt, kIo.
  static Task<Result<ChunkEdit>> Load(StoreCore& core, ChunkId chunk, PageRange range);

  /// Nothing if the chunk was never written.
  const std::optional<ChunkRecord>& record() const { return record_; }
  std::uint32_t length_bytes() const { return record_ ? record_->length_bytes : 0; }
  /// Where a block is by the pages alone.
  const BlockEntry& before(std::uint16_t block) const { return pages_.before(block); }
  /// Bytes of a block that are in the index and cover what the pages say; null if there are none.
  const InlineBlock* FindInline(std::uint16_t block) const;

  /// The present bytes of a block, verified. Errors: kCorrupt, kIo.
  Task<Result<Slice>> CurrentBlock(std::uint16_t block);

  /// Bytes from `offset_bytes` of the chunk on; whole blocks get `checksums` (one a piece that block boundaries cut the
  /// bytes into), parts are merged with what is stored. Errors: as CurrentBlock.
  Task<Result<void>> PutBytes(std::uint64_t offset_bytes, Slice bytes, std::vector<BlockChecksum> checksums);
  /// Zeros: whole blocks become holes. Errors: as CurrentBlock.
  Task<Result<void>> PutZeros(std::uint64_t offset_bytes, std::uint64_t length_bytes);
  void PutHole(std::uint16_t block);
  /// A block that another page has too. FindInline(block) is null: what is in the index is not covered from the slabs.
  void PutShared(std::uint16_t block, BlockEntry entry) { pages_.Set(block, entry, true); }

  /// Where bytes go: to free blocks, or into the index if it has room for them.
  enum class Place { kSlabs, kIndex, kIndexEvenIfFull };
  /// Stores the bytes and commits everything with `change`. Errors: kNoSpace, kIo, kStale.
  Task<Result<void>> Commit(ChunkChange change, Place place, Purpose purpose = Purpose::kOrdinary);
  /// After Commit: whether what it changed is durable with the index alone.
  bool in_index_only() const { return in_index_only_; }

 private:
  ChunkEdit(StoreCore& core, ChunkId chunk, std::optional<ChunkRecord> record, PageEdit pages,
            std::vector<InlineWrite> inlined)
      : core_(&core), chunk_(chunk), record_(record), pages_(std::move(pages)), inlined_(std::move(inlined)) {}

  Task<Result<void>> PutPart(std::uint16_t block, std::size_t offset_in_block, Slice part);
  std::size_t PutBlockCount() const;
  // Takes the blocks out of pieces_ that must be written inline: all, or those that are inline already.
  std::vector<InlineWrite> TakeInline(bool all);

  StoreCore* core_;
  ChunkId chunk_;
  std::optional<ChunkRecord> record_;
  PageEdit pages_;
  std::vector<InlineWrite> inlined_;  // of these pages, in order
  std::vector<BlockPiece> pieces_;    // bytes put so far
  std::vector<BlockKey> inline_removals_;
  bool in_index_only_ = false;
};

}  // namespace gabion
