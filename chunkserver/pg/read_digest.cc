#include "chunkserver/pg/read_digest.h"

namespace gabion {

Task<Result<void>> ReadIntoDigest(StoreSet& stores, ChunkId chunk, std::uint32_t first_page, ChunkDigest& digest) {
  if (digest.checksums.empty()) co_return Result<void>();
  Result<ExtentStore*> store = co_await stores.Find(chunk);
  if (!store) co_return store.error();
  if (*store == nullptr) co_return Result<void>();
  const auto offset_bytes = static_cast<std::uint32_t>(first_page * kPageBytes);
  const auto length_bytes = static_cast<std::uint32_t>(digest.checksums.size() * kBlockBytes);
  Result<ChunkRead> read = co_await (*store)->Read(chunk, offset_bytes, length_bytes);
  if (!read) co_return read.error();
  std::size_t block = 0;
  for (const Slice& slice : read->payload.slices()) {
    for (std::size_t at = 0; at < slice.size() && block < digest.checksums.size(); at += kBlockBytes, ++block) {
      digest.checksums[block] = ChecksumOf(slice.span().subspan(at, kBlockBytes));
    }
  }
  co_return Result<void>();
}

}  // namespace gabion
