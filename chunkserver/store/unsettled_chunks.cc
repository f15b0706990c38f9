#include "chunkserver/store/unsettled_chunks.h"

namespace gabion {

void UnsettledChunks::Remove(GroupChunkKey key) {
  auto group = groups_.find(key.pg);
  if (group == groups_.end()) return;
  group->second.erase(key.chunk);
  if (group->second.empty()) groups_.erase(group);
}

const std::set<ChunkId>& UnsettledChunks::Of(PgId pg) const {
  static const std::set<ChunkId> nothing;
  auto group = groups_.find(pg);
  return group == groups_.end() ? nothing : group->second;
}

}  // namespace gabion
