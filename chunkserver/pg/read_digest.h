#pragma once

#include "chunkserver/replication/store_set.h"

namespace gabion {

/// Puts the checksums of the bytes that the disk gives back in the place of those in `digest`, which is of the pages
/// from `first_page` on, while nothing changes them. Blocks that went bad differ from the index then, and from other
/// copies.
///
/// Errors: as ExtentStore::Read.
Task<Result<void>> ReadIntoDigest(StoreSet& stores, ChunkId chunk, std::uint32_t first_page, ChunkDigest& digest);

}  // namespace gabion
