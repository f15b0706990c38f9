#include <fmt/format.h>

#include "tests/sim/checker/checker.h"
#include "tests/sim/checker/stored_chunks.h"
#include "tests/sim/checker/stored_meta.h"

namespace gabion {
namespace {

/// How two copies differ; nothing if they do not. A copy that is not there is one of nothing.
std::string Compare(const StoredChunk& one, const StoredChunk& other) {
  if (one.record.length_bytes != other.record.length_bytes) {
    return fmt::format("lengths {} and {}", one.record.length_bytes, other.record.length_bytes);
  }
  std::string blocks;
  int count = 0;
  const auto note = [&](std::uint16_t block) {
    if (++count <= 4) blocks += fmt::format(" {}", block);
  };
  for (const auto& [block, checksum] : one.blocks) {
    const auto found = other.blocks.find(block);
    if (found == other.blocks.end() || found->second != checksum) note(block);
  }
  for (const auto& [block, checksum] : other.blocks) {
    if (!one.blocks.contains(block)) note(block);
  }
  return count == 0 ? std::string() : fmt::format("{} blocks, among them{}", count, blocks);
}

}  // namespace

std::string CheckReplicas(SimCluster& cluster) {
  const StoredMeta meta(cluster);
  std::map<std::string, StoredChunks> stored;
  std::string problems;
  for (const std::string& server : cluster.chunkservers()) {
    const auto added = stored.emplace(server, StoredChunks(cluster, server)).first;
    problems += added->second.problems;
  }
  std::map<ChunkId, PgId> pgs;
  for (const auto& [server, copies] : stored) {
    for (const auto& [chunk, copy] : copies.chunks) pgs.emplace(chunk, copy.record.pg);
  }
  const StoredChunk nothing;
  for (const auto& [chunk, pg] : pgs) {
    const auto group = meta.groups.find(pg);
    if (group == meta.groups.end() || group->second.in_sync().empty()) continue;
    const auto copy_on = [&](std::uint32_t server) -> const StoredChunk& {
      const auto& chunks = stored.at(meta.servers.at(ServerId(server))).chunks;
      const auto found = chunks.find(chunk);
      return found == chunks.end() ? nothing : found->second;
    };
    const std::uint32_t first = group->second.in_sync(0);
    for (const std::uint32_t other : group->second.in_sync()) {
      const std::string difference = Compare(copy_on(first), copy_on(other));
      if (difference.empty()) continue;
      problems += fmt::format("chunk {} of PG {} differs between {} and {}: {}\n", chunk.value(), pg.value(),
                              meta.servers.at(ServerId(first)), meta.servers.at(ServerId(other)), difference);
    }
  }
  return problems;
}

}  // namespace gabion
