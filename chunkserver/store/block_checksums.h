#pragma once

#include <cstdint>
#include <vector>

#include "chunkserver/store/store_core.h"

namespace gabion {

/// The checksums of a chunk's blocks in `range`, one a block, up to `length_bytes` (the chunk's), by the index alone. A
/// hole's is that of zeros. Errors: kCorrupt, kIo.
Task<Result<std::vector<BlockChecksum>>> FindChecksums(StoreCore& core, ChunkId chunk, PageRange range,
                                                       std::uint32_t length_bytes);

/// XXH3-64 over checksums, each little-endian: equal, if the blocks are.
std::uint64_t DigestOf(const std::vector<BlockChecksum>& checksums);

}  // namespace gabion
