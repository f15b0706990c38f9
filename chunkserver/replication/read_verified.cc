#include "chunkserver/replication/read_verified.h"

#include <fmt/format.h>

#include "common/base/log.h"

namespace gabion {
namespace {

// The index of the first block that does not fit, or the number of blocks. Every slice has whole blocks.
std::size_t FirstBadBlock(const ChunkRead& read) {
  std::size_t block = 0;
  for (const Slice& slice : read.payload.slices()) {
    for (std::size_t at = 0; at < slice.size(); at += kBlockBytes, ++block) {
      if (ChecksumOf(slice.span().subspan(at, kBlockBytes)) != read.checksums[block]) return block;
    }
  }
  return block;
}

}  // namespace

Task<Result<ChunkRead>> ReadVerified(ExtentStore& store, ChunkId chunk, std::uint32_t offset_bytes,
                                     std::uint32_t length_bytes) {
  Result<ChunkRead> read = co_await store.Read(chunk, offset_bytes, length_bytes);
  if (!read) co_return read;
  std::size_t bad = FirstBadBlock(*read);
  if (bad == read->checksums.size()) co_return read;
  Error error(ErrorCode::kCorrupt, fmt::format("chunk {}: the block at {} does not fit its checksum on {}",
                                               chunk.value(), offset_bytes + bad * kBlockBytes, store.core().name()));
  LogError("{}; another replica is read instead. Check the disk", error.message());
  co_return error;
}

}  // namespace gabion
