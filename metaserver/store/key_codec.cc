#include "metaserver/store/key_codec.h"

#include <fmt/format.h>

#include <concepts>
#include <utility>

namespace gabion {

namespace {

class KeyWriter {
 public:
  explicit KeyWriter(Table table, std::size_t size) {
    key_.reserve(size);
    key_.push_back(static_cast<char>(table));
  }
  template <std::unsigned_integral Integer>
  KeyWriter& Add(Integer value) {
    for (std::size_t shift = sizeof(Integer) * 8; shift > 0; shift -= 8) {
      key_.push_back(static_cast<char>(static_cast<unsigned char>(value >> (shift - 8))));
    }
    return *this;
  }
  template <typename Tag, typename Integer>
  KeyWriter& Add(Id<Tag, Integer> id) {
    return Add(id.value());
  }
  KeyWriter& AddBytes(std::string_view bytes) {
    key_.append(bytes);
    return *this;
  }
  std::string Take() { return std::move(key_); }

 private:
  std::string key_;
};

/// Takes a key apart from the front; remembers whether everything fitted.
class KeyReader {
 public:
  KeyReader(Table table, std::string_view key) : key_(key), rest_(key) {
    ok_ = !rest_.empty() && rest_.front() == static_cast<char>(table);
    if (ok_) rest_.remove_prefix(1);
  }
  template <std::unsigned_integral Integer>
  void Read(Integer& value) {
    if (!ok_ || rest_.size() < sizeof(Integer)) {
      ok_ = false;
      return;
    }
    std::uint64_t read = 0;
    for (std::size_t i = 0; i < sizeof(Integer); ++i) read = read << 8 | static_cast<unsigned char>(rest_[i]);
    rest_.remove_prefix(sizeof(Integer));
    value = static_cast<Integer>(read);
  }
  template <typename Tag, typename Integer>
  void Read(Id<Tag, Integer>& id) {
    Integer value = 0;
    Read(value);
    id = Id<Tag, Integer>(value);
  }
  void ReadName(std::string_view& name) {
    ok_ = ok_ && !rest_.empty() && rest_.size() <= kMaxNameBytes;
    name = std::exchange(rest_, {});
  }
  template <typename Parts>
  Result<Parts> Finish(Parts parts) const {
    if (!ok_ || !rest_.empty())
      return Error(ErrorCode::kCorrupt, "the metadata store holds a malformed key: " + DescribeKey(key_));
    return parts;
  }

 private:
  std::string_view key_;
  std::string_view rest_;
  bool ok_ = false;
};

template <typename IdType>
Result<IdType> DecodeIdKey(Table table, std::string_view key) {
  KeyReader reader(table, key);
  IdType id;
  reader.Read(id);
  return reader.Finish(id);
}

constexpr std::size_t kVolumePrefixBytes = 1 + sizeof(VolumeId::value_type);

std::string InoKey(Table table, VolumeId volume, Ino ino) {
  return KeyWriter(table, kVolumePrefixBytes + 8).Add(volume).Add(ino).Take();
}
std::string NamedKey(Table table, VolumeId volume, Ino ino, std::string_view name) {
  return KeyWriter(table, kVolumePrefixBytes + 8 + name.size()).Add(volume).Add(ino).AddBytes(name).Take();
}

std::string_view TableName(std::uint8_t number) {
  switch (static_cast<Table>(number)) {
    case Table::kCluster:
      return "cluster";
    case Table::kCounter:
      return "counter";
    case Table::kVolume:
      return "volume";
    case Table::kServer:
      return "server";
    case Table::kGroup:
      return "placement group";
    case Table::kGarbage:
      return "garbage chunk";
    case Table::kEvent:
      return "event";
    case Table::kInode:
      return "inode";
    case Table::kDentry:
      return "dentry";
    case Table::kXattr:
      return "xattr";
    case Table::kChunk:
      return "chunk";
    case Table::kOrphan:
      return "orphan";
    case Table::kReclaim:
      return "reclaim";
    case Table::kSession:
      return "session";
    case Table::kOpReply:
      return "op reply";
    case Table::kVolumeState:
      return "volume state";
    case Table::kVolumeStats:
      return "volume statistics";
  }
  return "unknown table";
}

}  // namespace

std::string ClusterKey() {
  return KeyWriter(Table::kCluster, 1).Take();
}
std::string CounterKey(Counter counter) {
  return KeyWriter(Table::kCounter, 2).Add(static_cast<std::uint8_t>(counter)).Take();
}
std::string VolumeKey(VolumeId volume) {
  return KeyWriter(Table::kVolume, 5).Add(volume).Take();
}
std::string ServerKey(ServerId server) {
  return KeyWriter(Table::kServer, 5).Add(server).Take();
}
std::string PgKey(PgId pg) {
  return KeyWriter(Table::kGroup, 5).Add(pg).Take();
}
std::string GarbageKey(ServerId server, ChunkId chunk) {
  return KeyWriter(Table::kGarbage, 13).Add(server).Add(chunk).Take();
}
std::string EventKey(std::uint64_t number) {
  return KeyWriter(Table::kEvent, 9).Add(number).Take();
}
std::string InodeKey(VolumeId volume, Ino ino) {
  return InoKey(Table::kInode, volume, ino);
}
std::string DentryKey(VolumeId volume, Ino parent, std::string_view name) {
  return NamedKey(Table::kDentry, volume, parent, name);
}
std::string XattrKey(VolumeId volume, Ino ino, std::string_view name) {
  return NamedKey(Table::kXattr, volume, ino, name);
}
std::string ChunkKey(VolumeId volume, Ino ino, std::uint64_t index) {
  return KeyWriter(Table::kChunk, kVolumePrefixBytes + 16).Add(volume).Add(ino).Add(index).Take();
}
std::string OrphanKey(VolumeId volume, Ino ino) {
  return InoKey(Table::kOrphan, volume, ino);
}
std::string ReclaimKey(VolumeId volume, Ino ino) {
  return InoKey(Table::kReclaim, volume, ino);
}
std::string SessionKey(VolumeId volume, SessionId session) {
  return KeyWriter(Table::kSession, kVolumePrefixBytes + 8).Add(volume).Add(session).Take();
}
std::string OpReplyKey(VolumeId volume, SessionId session, OpSeq seq) {
  return KeyWriter(Table::kOpReply, kVolumePrefixBytes + 16).Add(volume).Add(session).Add(seq).Take();
}
std::string VolumeStateKey(VolumeId volume) {
  return TablePrefix(Table::kVolumeState, volume);
}
std::string VolumeStatsKey(VolumeId volume) {
  return TablePrefix(Table::kVolumeStats, volume);
}

std::string TablePrefix(Table table) {
  return KeyWriter(table, 1).Take();
}
std::string TablePrefix(Table table, VolumeId volume) {
  return KeyWriter(table, kVolumePrefixBytes).Add(volume).Take();
}
std::string GarbagePrefix(ServerId server) {
  return KeyWriter(Table::kGarbage, 5).Add(server).Take();
}
std::string DentryPrefix(VolumeId volume, Ino parent) {
  return InoKey(Table::kDentry, volume, parent);
}
std::string XattrPrefix(VolumeId volume, Ino ino) {
  return InoKey(Table::kXattr, volume, ino);
}
std::string ChunkPrefix(VolumeId volume, Ino ino) {
  return InoKey(Table::kChunk, volume, ino);
}
std::string OpReplyPrefix(VolumeId volume, SessionId session) {
  return KeyWriter(Table::kOpReply, kVolumePrefixBytes + 8).Add(volume).Add(session).Take();
}

Result<Counter> DecodeCounterKey(std::string_view key) {
  KeyReader reader(Table::kCounter, key);
  std::uint8_t number = 0;
  reader.Read(number);
  return reader.Finish(static_cast<Counter>(number));
}
Result<VolumeId> DecodeVolumeKey(std::string_view key) {
  return DecodeIdKey<VolumeId>(Table::kVolume, key);
}
Result<ServerId> DecodeServerKey(std::string_view key) {
  return DecodeIdKey<ServerId>(Table::kServer, key);
}
Result<PgId> DecodePgKey(std::string_view key) {
  return DecodeIdKey<PgId>(Table::kGroup, key);
}

Result<GarbageKeyParts> DecodeGarbageKey(std::string_view key) {
  KeyReader reader(Table::kGarbage, key);
  GarbageKeyParts parts;
  reader.Read(parts.server);
  reader.Read(parts.chunk);
  return reader.Finish(parts);
}

Result<std::uint64_t> DecodeEventKey(std::string_view key) {
  KeyReader reader(Table::kEvent, key);
  std::uint64_t number = 0;
  reader.Read(number);
  return reader.Finish(number);
}

Result<InodeKeyParts> DecodeInodeKey(Table table, std::string_view key) {
  KeyReader reader(table, key);
  InodeKeyParts parts;
  reader.Read(parts.volume);
  reader.Read(parts.ino);
  return reader.Finish(parts);
}

Result<NamedKeyParts> DecodeNamedKey(Table table, std::string_view key) {
  KeyReader reader(table, key);
  NamedKeyParts parts;
  reader.Read(parts.volume);
  reader.Read(parts.ino);
  reader.ReadName(parts.name);
  return reader.Finish(parts);
}

Result<ChunkKeyParts> DecodeChunkKey(std::string_view key) {
  KeyReader reader(Table::kChunk, key);
  ChunkKeyParts parts;
  reader.Read(parts.volume);
  reader.Read(parts.ino);
  reader.Read(parts.index);
  return reader.Finish(parts);
}

Result<SessionKeyParts> DecodeSessionKey(std::string_view key) {
  KeyReader reader(Table::kSession, key);
  SessionKeyParts parts;
  reader.Read(parts.volume);
  reader.Read(parts.session);
  return reader.Finish(parts);
}

Result<OpReplyKeyParts> DecodeOpReplyKey(std::string_view key) {
  KeyReader reader(Table::kOpReply, key);
  OpReplyKeyParts parts;
  reader.Read(parts.volume);
  reader.Read(parts.session);
  reader.Read(parts.seq);
  return reader.Finish(parts);
}

std::string DescribeKey(std::string_view key) {
  constexpr std::size_t kMaxShownBytes = 64;
  std::string text(key.empty() ? "empty key" : TableName(static_cast<std::uint8_t>(key.front())));
  if (!key.empty()) text.push_back(' ');
  for (char byte : key.substr(0, kMaxShownBytes)) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  if (key.size() > kMaxShownBytes) text += "...";
  return text;
}

}  // namespace gabion
