#include "tests/sim/checker/stored_meta.h"

#include "metaserver/store/key_codec.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

StoredMeta::StoredMeta(SimCluster& cluster) {
  for (const auto& [key, value] : cluster.store("meta").Entries()) Read(key, value);
}

void StoredMeta::Read(const std::string& key, const std::string& value) {
  const auto parse = [&](google::protobuf::MessageLite& record) {
    const Result<void> parsed = DecodeRecordInto(key, value, record);
    if (!parsed) problems += parsed.error().ToString() + "\n";
  };
  switch (const Table table{static_cast<std::uint8_t>(key[0])}; table) {
    case Table::kInode:
      return parse(inodes[DecodeInodeKey(table, key)->ino]);
    case Table::kDentry: {
      const NamedKeyParts parts = *DecodeNamedKey(table, key);
      return parse(dentries[{parts.ino, std::string(parts.name)}]);
    }
    case Table::kXattr:
      ++xattrs[DecodeNamedKey(table, key)->ino];
      return;
    case Table::kChunk: {
      const ChunkKeyParts parts = *DecodeChunkKey(key);
      return parse(chunks[{parts.ino, parts.index}]);
    }
    case Table::kOrphan:
      orphans.insert(DecodeInodeKey(table, key)->ino);
      return;
    case Table::kReclaim:
      reclaims.insert(DecodeInodeKey(table, key)->ino);
      return;
    case Table::kGarbage: {
      const GarbageKeyParts parts = *DecodeGarbageKey(key);
      garbage.emplace(parts.server, parts.chunk);
      return;
    }
    case Table::kGroup:
      return parse(groups[*DecodePgKey(key)]);
    case Table::kServer: {
      records::Server server;
      parse(server);
      servers[*DecodeServerKey(key)] = server.host();
      return;
    }
    case Table::kVolumeStats:
      return parse(stats);
    default:
      return;
  }
}

}  // namespace gabion
