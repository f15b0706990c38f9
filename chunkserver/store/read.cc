// ExtentStore::Read and Stat.
#include <algorithm>

#include "chunkserver/store/block_io.h"
#include "chunkserver/store/extent_store.h"

namespace gabion {
namespace {

// Blocks that one look-up gave, as the pieces to read: runs of the slabs, bytes at hand, or zeros.
struct Extent {
  BlockRun run;  // count 0: `bytes`
  Slice bytes;
};

void AppendEntry(std::vector<Extent>& extents, const BlockEntry& entry, std::uint64_t blocks_per_slab) {
  if (entry.is_hole()) {
    extents.push_back({{}, Zeros(kBlockBytes)});
    return;
  }
  bool follows = !extents.empty() && extents.back().run.count > 0 && extents.back().run.end() == entry.address &&
                 entry.address % blocks_per_slab != 0;
  if (follows) {
    ++extents.back().run.count;
  } else {
    extents.push_back({{entry.address, 1}, Slice()});
  }
}

}  // namespace

Task<Result<ChunkRead>> ExtentStore::Read(ChunkId chunk, std::uint32_t offset_bytes, std::uint32_t length_bytes) {
  if (offset_bytes % kBlockBytes != 0 || length_bytes % kBlockBytes != 0 || length_bytes == 0 ||
      length_bytes > kMaxPayloadBytes || offset_bytes > kChunkBytes - length_bytes) {
    co_return Error(ErrorCode::kInvalidArgument, "a read of " + std::to_string(length_bytes) + " bytes at " +
                                                     std::to_string(offset_bytes) +
                                                     " is not of whole blocks of a chunk");
  }
  CO_TRY(core_.CheckOnline());
  StoreCore::ReadScope scope(core_);
  Result<std::optional<ChunkRecord>> found = co_await core_.FindChunk(chunk);
  if (!found) co_return found.error();
  ChunkRead read;
  std::uint32_t chunk_length = found->value_or(ChunkRecord()).length_bytes;
  std::uint64_t end_bytes = std::min(offset_bytes + std::uint64_t{length_bytes}, RoundUp(chunk_length, kBlockBytes));
  if (offset_bytes >= end_bytes) co_return read;
  std::uint16_t first_block = static_cast<std::uint16_t>(offset_bytes / kBlockBytes);
  std::uint16_t last_block = static_cast<std::uint16_t>((end_bytes - 1) / kBlockBytes);

  // Inline blocks first: what moves to its place between the two look-ups is then seen twice, not missed.
  std::vector<InlineWrite> inlined = core_.FindInline(chunk, first_block, last_block);
  PageRange range = PageRange::Covering(offset_bytes, end_bytes - offset_bytes);
  Result<std::vector<PageRecord>> pages = co_await core_.FindPages(chunk, range, chunk_length);
  if (!pages) co_return pages.error();
  std::vector<Extent> extents;
  read.checksums.reserve(last_block - std::size_t{first_block} + 1);
  std::uint64_t blocks_per_slab = core_.blocks_per_slab();
  auto next_inline = inlined.begin();
  for (std::uint16_t block = first_block; block <= last_block; ++block) {
    if (next_inline != inlined.end() && next_inline->key.block == block) {
      const InlineBlock& found_inline = (next_inline++)->block;
      extents.push_back({{}, found_inline.is_zero() ? Zeros(kBlockBytes) : found_inline.data});
      read.checksums.push_back(found_inline.checksum);
      continue;
    }
    const BlockEntry& entry =
        (*pages)[block / kBlocksPerPage - std::size_t{range.first}].blocks[block % kBlocksPerPage];
    AppendEntry(extents, entry, blocks_per_slab);
    read.checksums.push_back(entry.is_hole() ? ZeroBlockChecksum() : entry.checksum);
  }
  for (Extent& extent : extents) {
    if (extent.run.count > 0) {
      Result<Slice> bytes = co_await core_.ReadBlocks(extent.run);
      if (!bytes) co_return bytes.error();
      extent.bytes = std::move(*bytes);
    }
    read.payload.Append(std::move(extent.bytes));
  }
  co_return read;
}

Task<Result<std::optional<ChunkStat>>> ExtentStore::Stat(ChunkId chunk) {
  CO_TRY(core_.CheckOnline());
  Result<std::optional<ChunkRecord>> found = co_await core_.FindChunk(chunk);
  if (!found) co_return found.error();
  if (!found->has_value()) co_return std::optional<ChunkStat>();
  ChunkStat stat;
  stat.record = **found;
  std::uint32_t length = stat.record.length_bytes;
  if (length == 0) co_return std::optional(std::move(stat));
  std::uint16_t last_block = static_cast<std::uint16_t>((length - 1) / kBlockBytes);
  std::vector<InlineWrite> inlined = core_.FindInline(chunk, 0, last_block);
  PageRange range = PageRange::Covering(0, length);
  Result<std::vector<PageRecord>> pages = co_await core_.FindPages(chunk, range, length);
  if (!pages) co_return pages.error();
  auto next_inline = inlined.begin();
  for (std::uint16_t block = 0; block <= last_block; ++block) {
    bool is_data = !(*pages)[block / kBlocksPerPage].blocks[block % kBlocksPerPage].is_hole();
    if (next_inline != inlined.end() && next_inline->key.block == block) is_data = !(next_inline++)->block.is_zero();
    if (!is_data) continue;
    std::uint32_t begin = static_cast<std::uint32_t>(block * kBlockBytes);
    std::uint32_t size = std::min<std::uint32_t>(kBlockBytes, length - begin);
    if (!stat.allocated.empty() && stat.allocated.back().offset_bytes + stat.allocated.back().length_bytes == begin) {
      stat.allocated.back().length_bytes += size;
    } else {
      stat.allocated.push_back({begin, size});
    }
  }
  co_return std::optional(std::move(stat));
}

}  // namespace gabion
