// ExtentStore::Digest.
#include "chunkserver/store/block_checksums.h"
#include "chunkserver/store/extent_store.h"

namespace gabion {

Task<Result<ChunkDigest>> ExtentStore::Digest(ChunkId chunk, std::uint32_t first_page, std::uint32_t page_count) {
  if (page_count == 0 || first_page >= kPagesPerChunk || page_count > kPagesPerChunk - first_page) {
    co_return Error(ErrorCode::kInvalidArgument, "a digest of " + std::to_string(page_count) + " pages at page " +
                                                     std::to_string(first_page) + ", which no chunk has");
  }
  CO_TRY(core_.CheckOnline());
  Result<std::optional<ChunkRecord>> record = co_await core_.FindChunk(chunk);
  if (!record) co_return record.error();
  ChunkDigest digest;
  if (!record->has_value()) co_return digest;
  digest.exists = true;
  digest.length_bytes = (*record)->length_bytes;
  digest.trim_generation = (*record)->trim_generation;
  PageRange range{static_cast<std::uint16_t>(first_page), static_cast<std::uint16_t>(first_page + page_count - 1)};
  Result<std::vector<BlockChecksum>> checksums = co_await FindChecksums(core_, chunk, range, digest.length_bytes);
  if (!checksums) co_return checksums.error();
  digest.checksums = std::move(*checksums);
  co_return digest;
}

}  // namespace gabion
