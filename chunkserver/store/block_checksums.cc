#include "chunkserver/store/block_checksums.h"

#include <algorithm>

namespace gabion {

Task<Result<std::vector<BlockChecksum>>> FindChecksums(StoreCore& core, ChunkId chunk, PageRange range,
                                                       std::uint32_t length_bytes) {
  std::size_t first_block = range.first * kBlocksPerPage;
  std::size_t end_block = std::min<std::size_t>((range.last + std::size_t{1}) * kBlocksPerPage,
                                                RoundUp(length_bytes, kBlockBytes) / kBlockBytes);
  std::vector<BlockChecksum> checksums;
  if (first_block >= end_block) co_return checksums;
  // Inline blocks first, as in Read: what moves between the two look-ups is not missed.
  std::vector<InlineWrite> inlined =
      core.FindInline(chunk, static_cast<std::uint16_t>(first_block), static_cast<std::uint16_t>(end_block - 1));
  Result<std::vector<PageRecord>> pages = co_await core.FindPages(chunk, range, length_bytes);
  if (!pages) co_return pages.error();
  checksums.reserve(end_block - first_block);
  for (std::size_t i = 0; i < end_block - first_block; ++i) {
    const BlockEntry& entry = (*pages)[i / kBlocksPerPage].blocks[i % kBlocksPerPage];
    checksums.push_back(entry.is_hole() ? ZeroBlockChecksum() : entry.checksum);
  }
  for (const InlineWrite& write : inlined) checksums[write.key.block - first_block] = write.block.checksum;
  co_return checksums;
}

std::uint64_t DigestOf(const std::vector<BlockChecksum>& checksums) {
  std::vector<std::byte> bytes;
  bytes.reserve(checksums.size() * sizeof(BlockChecksum));
  for (BlockChecksum checksum : checksums) {
    for (unsigned shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<std::byte>(checksum >> shift));
  }
  return ChecksumOf(bytes);
}

}  // namespace gabion
