#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "metaserver/check/checks.h"
#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {

/// What chunkservers have stored, for a check to ask.
class FakeChunkservers final : public ChunkLister {
 public:
  Task<Result<proto::ListStoredChunksReply>> List(ServerId server, Endpoint endpoint,
                                                  proto::ListStoredChunksRequest request) override;
  Task<void> HangUp() override { co_return; }

  std::map<ServerId, std::map<ChunkId, PgId>> stored;
  std::set<ServerId> silent;
  std::uint32_t max_page_entries = 4096;
  Env* env = nullptr;  // answers take a while
};

/// A metaserver's parts with a check, and ways to damage what it keeps.
class CheckBench {
 public:
  explicit CheckBench(CheckLimits limits = {});
  ~CheckBench();

  MetaBench& meta() { return meta_; }
  FakeChunkservers& chunkservers() { return chunkservers_; }
  Checks& checks() { return *checks_; }

  /// As kill -9 and a start; forgets the check.
  void Restart();

  /// A whole check; its status with all faults.
  proto::CheckStatusReply Check(const std::string& volume = "");
  void Start(const std::string& volume = "");
  bool IsBusy();
  proto::CheckStatusReply Await();
  proto::CheckStatusReply Status();
  /// Repairs what the last check found.
  proto::CheckStatusReply Repair();

  // Damage, past all ops.

  void EditInode(Ino ino, const std::function<void(records::Inode&)>& edit);
  void EditStats(const std::function<void(records::VolumeStats&)>& edit);
  void PutName(Ino parent, const std::string& name, Ino ino, std::uint32_t type_mode);
  void DeleteName(Ino parent, const std::string& name) { Delete(DentryKey(volume_, parent, name)); }
  void DeleteInode(Ino ino) { Delete(InodeKey(volume_, ino)); }
  void DeleteOrphan(Ino ino) { Delete(OrphanKey(volume_, ino)); }
  void Delete(const std::string& key);

  /// Writes a file's chunk as a client does: all its servers store it, then the metaserver hears of it.
  void WriteChunk(MetaClient& client, Ino ino, std::uint64_t index);

 private:
  template <typename Record>
  void Edit(const std::string& key, const std::function<void(Record&)>& edit);

  const CheckLimits limits_;
  MetaBench meta_;
  FakeChunkservers chunkservers_;
  std::optional<Checks> checks_;
  VolumeId volume_;
};

/// "link-count 5", with the inode or the chunk, sorted.
std::vector<std::string> Kinds(const proto::CheckStatusReply& status);

}  // namespace gabion
