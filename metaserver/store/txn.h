#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/env/kv_store.h"
#include "metaserver/store/key_codec.h"
#include "metaserver/store/record_codec.h"
#include "metaserver/store/records.pb.h"

namespace gabion {

/// What an op reads and changes: reads see its own staged changes, then the store; nothing reaches the store before the
/// executor applies TakeBatch(). Made for one run of one op, on the volume's strand; never suspends.
///
/// A read of what is not in memory answers kWouldBlock and is noted in misses(): the op hands the error up, the
/// executor loads what is missing and runs the op again with a new Txn.
///
/// Errors of all reads: kWouldBlock, kCorrupt, kVersionMismatch, kIo.
class Txn {
 public:
  /// A read that has to wait for the disk: one key if `last` is unset, else up to `max_entries` of [first, last).
  struct Miss {
    std::string first;
    std::optional<std::string> last;
    std::size_t max_entries = 1;
  };

  Txn(KvStore& kv, VolumeId volume) : kv_(kv), volume_(volume) {}
  Txn(const Txn&) = delete;
  Txn& operator=(const Txn&) = delete;

  VolumeId volume() const { return volume_; }
  const std::vector<Miss>& misses() const { return misses_; }
  bool empty() const { return staged_.empty(); }
  /// The inodes whose records or entries are staged.
  const std::set<Ino>& changed() const { return changed_; }
  /// The entries that are staged, in the order in which they were.
  struct ChangedEntry {
    Ino directory;
    std::string name;
    Ino ino;  // none: removed
    std::uint32_t type_mode = 0;
  };
  const std::vector<ChangedEntry>& changed_entries() const { return changed_entries_; }
  WriteBatch TakeBatch();

  Result<std::optional<records::Inode>> FindInode(Ino ino);
  void PutInode(Ino ino, const records::Inode& inode);
  /// The same of an inode of which only what nobody caches is changed: no lease is in the way.
  void PutUncached(Ino ino, const records::Inode& inode);
  void DeleteInode(Ino ino);

  Result<std::optional<records::Dentry>> FindDentry(Ino parent, std::string_view name);
  void PutDentry(Ino parent, std::string_view name, const records::Dentry& dentry);
  void DeleteDentry(Ino parent, std::string_view name);
  using DentryVisitor = std::function<bool(std::string_view name, const records::Dentry& dentry)>;
  /// Entries with names after `after_name` in the order of names until `visit` says false, which it does after at most
  /// `max_entries`.
  Result<void> ScanDentries(Ino parent, std::string_view after_name, std::size_t max_entries,
                            const DentryVisitor& visit);

  Result<std::optional<records::Xattr>> FindXattr(Ino ino, std::string_view name);
  void PutXattr(Ino ino, std::string_view name, const records::Xattr& xattr);
  void DeleteXattr(Ino ino, std::string_view name);
  /// The first `max_entries` names of the inode.
  Result<std::vector<std::string>> ListXattrs(Ino ino, std::size_t max_entries);

  struct MappedChunk {
    std::uint64_t index = 0;
    records::Chunk chunk;
  };
  /// The chunk table alone, that is, from index 1 on: chunk 0 is in the inode.
  Result<std::optional<records::Chunk>> FindChunk(Ino ino, std::uint64_t index);
  void PutChunk(Ino ino, std::uint64_t index, const records::Chunk& chunk);
  void DeleteChunk(Ino ino, std::uint64_t index);
  /// The first `max_entries` records with first_index <= index < end_index; end_index 0: no end.
  Result<std::vector<MappedChunk>> ListChunks(Ino ino, std::uint64_t first_index, std::uint64_t end_index,
                                              std::size_t max_entries);

  void PutOrphan(Ino ino);
  void DeleteOrphan(Ino ino);
  void PutReclaim(Ino ino);
  void DeleteReclaim(Ino ino);
  void PutGarbage(ServerId server, ChunkId chunk, const records::Garbage& record);

  void PutSession(SessionId session, const records::Session& record);
  void DeleteSession(SessionId session);
  Result<std::optional<records::OpReply>> FindOpReply(SessionId session, OpSeq seq);
  void PutOpReply(SessionId session, OpSeq seq, const records::OpReply& reply);
  void DeleteOpReply(SessionId session, OpSeq seq);
  void PutVolume(const records::Volume& volume);
  void PutVolumeState(const records::VolumeState& state);
  void PutVolumeStats(const records::VolumeStats& stats);

  /// The first `max_entries` keys that begin with `prefix`.
  Result<std::vector<std::string>> ListKeys(std::string prefix, std::size_t max_entries);
  void DeleteKey(std::string key) { Stage(std::move(key), std::nullopt); }

 private:
  Result<std::optional<std::string>> Get(const std::string& key);
  template <typename Record>
  Result<std::optional<Record>> Find(const std::string& key);
  /// Store and staged changes merged, in key order.
  Result<void> Scan(const std::string& first, const std::string& last, std::size_t max_entries,
                    const KvStore::Visitor& visit);
  void Stage(std::string key, std::optional<std::string> value) {
    staged_.insert_or_assign(std::move(key), std::move(value));
  }

  KvStore& kv_;
  const VolumeId volume_;
  std::map<std::string, std::optional<std::string>> staged_;  // none: delete
  std::set<Ino> changed_;
  std::vector<ChangedEntry> changed_entries_;
  std::vector<Miss> misses_;
};

}  // namespace gabion
