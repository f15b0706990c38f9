#pragma once

#include <map>
#include <set>

#include "chunkserver/store/index_key.h"
#include "common/base/ids.h"

namespace gabion {

/// The chunks of a store that other members of their group may have otherwise (docs/replication.md): mirrors the table
/// U of the index. Pure memory, not thread-safe.
class UnsettledChunks {
 public:
  void Add(GroupChunkKey key) { groups_[key.pg].insert(key.chunk); }
  void Remove(GroupChunkKey key);

  bool Contains(GroupChunkKey key) const { return Of(key.pg).contains(key.chunk); }
  const std::set<ChunkId>& Of(PgId pg) const;

 private:
  std::map<PgId, std::set<ChunkId>> groups_;  // none of them empty
};

}  // namespace gabion
