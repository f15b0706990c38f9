#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "chunkserver/store/chunk_record.h"
#include "common/base/checksum.h"
#include "tests/sim/sim_cluster.h"

namespace gabion {

/// One copy of a chunk, as a reader of it would find it.
struct StoredChunk {
  ChunkRecord record;
  std::map<std::uint16_t, BlockChecksum> blocks;  // those that are not zeros
};

/// The chunks of a chunkserver as they lie in its index and its slabs (docs/formats/chunk_index.md, slab.md).
struct StoredChunks {
  StoredChunks(SimCluster& cluster, const std::string& server);

  std::map<ChunkId, StoredChunk> chunks;
  std::string problems;  // what does not parse, and blocks whose bytes are not what their checksums say
};

}  // namespace gabion
