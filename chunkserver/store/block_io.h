#pragma once

#include <cstdint>
#include <vector>

#include "chunkserver/store/store_core.h"

namespace gabion {

/// Whole blocks of a chunk in a row, to be stored.
struct BlockPiece {
  std::uint16_t first_block = 0;
  Slice data;  // a multiple of 4 KiB
  std::vector<BlockChecksum> checksums;

  std::uint16_t end_block() const { return static_cast<std::uint16_t>(first_block + checksums.size()); }
};

/// Blocks that are written and wait for the commit that makes them visible.
struct PlacedBlocks {
  struct Placed {
    std::uint16_t block = 0;
    BlockEntry entry;  // a hole for a block of zeros
  };
  std::vector<Placed> blocks;
  Reservation reservation;
};

/// `size` zeros, at most 4 MiB, without memory of their own.
Slice Zeros(std::size_t size);

/// Whether the bytes are all zero; quick for most that are not.
bool IsZeroBlock(std::span<const std::byte> block, BlockChecksum checksum);

/// Writes the pieces to free blocks, in as few calls as the free space allows. Blocks of zeros become holes. Errors:
/// kNoSpace, kIo.
Task<Result<PlacedBlocks>> PlaceBlocks(StoreCore& core, std::vector<BlockPiece> pieces, Purpose purpose);

/// What a change to the blocks of some pages is built from. Its maker holds the pages' lock.
class PageEdit {
 public:
  PageEdit(ChunkId chunk, PageRange range, std::vector<PageRecord> before)
      : chunk_(chunk),
        first_page_(range.first),
        before_(before),
        after_(std::move(before)),
        shared_(before_.size(), 0) {}

  const BlockEntry& before(std::uint16_t block) const { return before_[PageOf(block)].blocks[block % kBlocksPerPage]; }
  void Set(std::uint16_t block, BlockEntry entry, bool shared = false);
  /// The pages that are different now.
  std::vector<PageChange> Changes() const;

 private:
  std::size_t PageOf(std::uint16_t block) const;

  ChunkId chunk_;
  std::uint16_t first_page_;
  std::vector<PageRecord> before_;
  std::vector<PageRecord> after_;
  std::vector<std::uint16_t> shared_;
};

}  // namespace gabion
