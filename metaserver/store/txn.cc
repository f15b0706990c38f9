#include "metaserver/store/txn.h"

namespace gabion {

WriteBatch Txn::TakeBatch() {
  WriteBatch batch;
  while (!staged_.empty()) {
    auto node = staged_.extract(staged_.begin());
    if (node.mapped()) {
      batch.Put(std::move(node.key()), std::move(*node.mapped()));
    } else {
      batch.Delete(std::move(node.key()));
    }
  }
  return batch;
}

Result<std::optional<std::string>> Txn::Get(const std::string& key) {
  if (auto staged = staged_.find(key); staged != staged_.end()) return staged->second;
  Result<std::optional<std::string>> value = kv_.Get(key);
  if (!value && value.error().code() == ErrorCode::kWouldBlock) misses_.push_back({key, std::nullopt, 1});
  return value;
}

template <typename Record>
Result<std::optional<Record>> Txn::Find(const std::string& key) {
  TRY_ASSIGN(std::optional<std::string> bytes, Get(key));
  if (!bytes) return std::optional<Record>();
  std::optional<Record> record(std::in_place);
  TRY(DecodeRecordInto(key, *bytes, *record));
  return record;
}

Result<void> Txn::Scan(const std::string& first, const std::string& last, std::size_t max_entries,
                       const KvStore::Visitor& visit) {
  auto staged = staged_.lower_bound(first);
  bool stopped = false;
  // Visits what is staged before `limit` (before the range's end if unset); false once the visitor has enough.
  auto visit_staged = [&](std::optional<std::string_view> limit) {
    for (; staged != staged_.end() && (last.empty() || staged->first < last); ++staged) {
      if (limit && staged->first >= *limit) return true;
      if (staged->second && !visit(staged->first, *staged->second)) {
        stopped = true;
        return false;
      }
    }
    return true;
  };
  Result<void> scanned = kv_.Scan(first, last, [&](std::string_view key, std::string_view value) {
    if (!visit_staged(key)) return false;
    // What is staged under the same key takes the store's place; the next round visits it.
    if (staged != staged_.end() && staged->first == key) return true;
    if (visit(key, value)) return true;
    stopped = true;
    return false;
  });
  if (!scanned) {
    if (scanned.error().code() == ErrorCode::kWouldBlock) misses_.push_back({first, last, max_entries});
    return scanned.error();
  }
  if (!stopped) visit_staged(std::nullopt);
  return {};
}

Result<std::optional<records::Inode>> Txn::FindInode(Ino ino) {
  return Find<records::Inode>(InodeKey(volume_, ino));
}
void Txn::PutInode(Ino ino, const records::Inode& inode) {
  changed_.insert(ino);
  PutUncached(ino, inode);
}

void Txn::PutUncached(Ino ino, const records::Inode& inode) {
  Stage(InodeKey(volume_, ino), EncodeRecord(inode));
}
void Txn::DeleteInode(Ino ino) {
  changed_.insert(ino);
  Stage(InodeKey(volume_, ino), std::nullopt);
}

Result<std::optional<records::Dentry>> Txn::FindDentry(Ino parent, std::string_view name) {
  return Find<records::Dentry>(DentryKey(volume_, parent, name));
}
void Txn::PutDentry(Ino parent, std::string_view name, const records::Dentry& dentry) {
  changed_.insert(parent);
  changed_entries_.push_back({parent, std::string(name), Ino(dentry.ino()), dentry.type_mode()});
  Stage(DentryKey(volume_, parent, name), EncodeRecord(dentry));
}
void Txn::DeleteDentry(Ino parent, std::string_view name) {
  changed_.insert(parent);
  changed_entries_.push_back({parent, std::string(name), Ino(), 0});
  Stage(DentryKey(volume_, parent, name), std::nullopt);
}

Result<void> Txn::ScanDentries(Ino parent, std::string_view after_name, std::size_t max_entries,
                               const DentryVisitor& visit) {
  const std::string prefix = DentryPrefix(volume_, parent);
  std::string first = DentryKey(volume_, parent, after_name);
  if (!after_name.empty()) first.push_back('\0');  // the least key after that name's
  Result<void> decoded;
  // One more than asked: the visitor may look one ahead to know whether the directory ends.
  Result<void> scanned =
      Scan(first, PrefixEnd(prefix), max_entries + 1, [&](std::string_view key, std::string_view value) {
        records::Dentry dentry;
        decoded = DecodeRecordInto(key, value, dentry);
        return decoded.has_value() && visit(key.substr(prefix.size()), dentry);
      });
  TRY(decoded);
  return scanned;
}

Result<std::optional<records::Xattr>> Txn::FindXattr(Ino ino, std::string_view name) {
  return Find<records::Xattr>(XattrKey(volume_, ino, name));
}
void Txn::PutXattr(Ino ino, std::string_view name, const records::Xattr& xattr) {
  Stage(XattrKey(volume_, ino, name), EncodeRecord(xattr));
}
void Txn::DeleteXattr(Ino ino, std::string_view name) {
  Stage(XattrKey(volume_, ino, name), std::nullopt);
}

Result<std::vector<std::string>> Txn::ListXattrs(Ino ino, std::size_t max_entries) {
  const std::string prefix = XattrPrefix(volume_, ino);
  TRY_ASSIGN(std::vector<std::string> keys, ListKeys(prefix, max_entries));
  for (std::string& key : keys) key.erase(0, prefix.size());
  return keys;
}

Result<std::optional<records::Chunk>> Txn::FindChunk(Ino ino, std::uint64_t index) {
  return Find<records::Chunk>(ChunkKey(volume_, ino, index));
}
void Txn::PutChunk(Ino ino, std::uint64_t index, const records::Chunk& chunk) {
  Stage(ChunkKey(volume_, ino, index), EncodeRecord(chunk));
}
void Txn::DeleteChunk(Ino ino, std::uint64_t index) {
  Stage(ChunkKey(volume_, ino, index), std::nullopt);
}

Result<std::vector<Txn::MappedChunk>> Txn::ListChunks(Ino ino, std::uint64_t first_index, std::uint64_t end_index,
                                                      std::size_t max_entries) {
  std::vector<MappedChunk> chunks;
  if (max_entries == 0) return chunks;
  const std::string last = end_index != 0 ? ChunkKey(volume_, ino, end_index) : PrefixEnd(ChunkPrefix(volume_, ino));
  Result<void> decoded;
  auto visit = [&](std::string_view key, std::string_view value) {
    Result<ChunkKeyParts> parts = DecodeChunkKey(key);
    MappedChunk mapped;
    decoded = parts ? DecodeRecordInto(key, value, mapped.chunk) : Result<void>(parts.error());
    if (!decoded) return false;
    mapped.index = parts->index;
    chunks.push_back(std::move(mapped));
    return chunks.size() < max_entries;
  };
  TRY(Scan(ChunkKey(volume_, ino, first_index), last, max_entries, visit));
  TRY(decoded);
  return chunks;
}

void Txn::PutOrphan(Ino ino) {
  Stage(OrphanKey(volume_, ino), EncodeRecord(records::Orphan()));
}
void Txn::DeleteOrphan(Ino ino) {
  Stage(OrphanKey(volume_, ino), std::nullopt);
}
void Txn::PutReclaim(Ino ino) {
  Stage(ReclaimKey(volume_, ino), EncodeRecord(records::Reclaim()));
}
void Txn::DeleteReclaim(Ino ino) {
  Stage(ReclaimKey(volume_, ino), std::nullopt);
}
void Txn::PutGarbage(ServerId server, ChunkId chunk, const records::Garbage& record) {
  Stage(GarbageKey(server, chunk), EncodeRecord(record));
}

void Txn::PutSession(SessionId session, const records::Session& record) {
  Stage(SessionKey(volume_, session), EncodeRecord(record));
}
void Txn::DeleteSession(SessionId session) {
  Stage(SessionKey(volume_, session), std::nullopt);
}
Result<std::optional<records::OpReply>> Txn::FindOpReply(SessionId session, OpSeq seq) {
  return Find<records::OpReply>(OpReplyKey(volume_, session, seq));
}
void Txn::PutOpReply(SessionId session, OpSeq seq, const records::OpReply& reply) {
  Stage(OpReplyKey(volume_, session, seq), EncodeRecord(reply));
}
void Txn::DeleteOpReply(SessionId session, OpSeq seq) {
  Stage(OpReplyKey(volume_, session, seq), std::nullopt);
}
void Txn::PutVolume(const records::Volume& volume) {
  Stage(VolumeKey(volume_), EncodeRecord(volume));
}
void Txn::PutVolumeState(const records::VolumeState& state) {
  Stage(VolumeStateKey(volume_), EncodeRecord(state));
}
void Txn::PutVolumeStats(const records::VolumeStats& stats) {
  Stage(VolumeStatsKey(volume_), EncodeRecord(stats));
}

Result<std::vector<std::string>> Txn::ListKeys(std::string prefix, std::size_t max_entries) {
  std::vector<std::string> keys;
  if (max_entries == 0) return keys;
  TRY(Scan(prefix, PrefixEnd(prefix), max_entries, [&](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return keys.size() < max_entries;
  }));
  return keys;
}

}  // namespace gabion
