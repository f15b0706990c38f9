#include <fmt/format.h>

#include <set>

#include "tests/sim/checker/checker.h"
#include "tests/sim/checker/stored_chunks.h"
#include "tests/sim/checker/stored_meta.h"

namespace gabion {

std::string CheckOrphans(SimCluster& cluster) {
  const StoredMeta meta(cluster);
  std::set<ChunkId> in_files;
  for (const auto& [ino, inode] : meta.inodes) {
    if (inode.has_first_chunk()) in_files.insert(ChunkId(inode.first_chunk().chunk_id()));
  }
  for (const auto& [place, chunk] : meta.chunks) in_files.insert(ChunkId(chunk.chunk_id()));
  std::string problems;
  for (const auto& [id, server] : meta.servers) {
    const StoredChunks stored(cluster, server);
    for (const auto& [chunk, copy] : stored.chunks) {
      if (in_files.contains(chunk) || meta.garbage.contains({id, chunk})) continue;
      problems += fmt::format("{} has chunk {} of PG {}, which belongs to no file\n", server, chunk.value(),
                              copy.record.pg.value());
    }
  }
  return problems;
}

}  // namespace gabion
