#pragma once

#include "chunkserver/store/extent_store.h"

namespace gabion {

/// Reads from a store and verifies every block. Errors: as ExtentStore::Read; kCorrupt, which is also logged, if the
/// disk gave back other bytes than were written.
Task<Result<ChunkRead>> ReadVerified(ExtentStore& store, ChunkId chunk, std::uint32_t offset_bytes,
                                     std::uint32_t length_bytes);

}  // namespace gabion
