#include "metaserver/check/chunk_recheck.h"

#include <algorithm>

#include "common/base/byte_units.h"
#include "metaserver/op/content_size.h"
#include "metaserver/store/load_value.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

namespace {

// Longer in all than a change may take, which is given up after 10 s, or its group has another epoch.
constexpr Duration kPauses[] = {std::chrono::seconds(1), std::chrono::seconds(4), std::chrono::seconds(8)};

Task<Result<void>> Pause(Env& env, Duration pause, CheckLog& log) {
  constexpr Duration kStep = std::chrono::milliseconds(500);
  for (const TimePoint end = env.clock.Now() + pause; env.clock.Now() < end;) {
    CO_TRY(log.CheckGoing());
    co_await env.clock.SleepFor(kStep);
  }
  co_return Result<void>();
}

/// The file's record, if the chunk is part of it now.
Task<Result<std::optional<records::Inode>>> FindOwner(KvStore& kv, ChunkSuspect suspect) {
  const std::string key = InodeKey(suspect.volume, suspect.ino);
  Result<std::optional<std::string>> value = co_await LoadValue(kv, key);
  CO_TRY_ASSIGN(const std::optional<std::string> bytes, std::move(value));
  if (!bytes) co_return std::optional<records::Inode>();
  CO_TRY_ASSIGN(records::Inode inode, DecodeRecord<records::Inode>(key, *bytes));
  records::Chunk chunk = inode.first_chunk();
  if (suspect.index > 0) {
    const std::string chunk_key = ChunkKey(suspect.volume, suspect.ino, suspect.index);
    value = co_await LoadValue(kv, chunk_key);
    CO_TRY_ASSIGN(const std::optional<std::string> chunk_bytes, std::move(value));
    if (!chunk_bytes || !IsLiveIndex(inode, suspect.index)) co_return std::optional<records::Inode>();
    CO_TRY_ASSIGN(chunk, DecodeRecord<records::Chunk>(chunk_key, *chunk_bytes));
  }
  if (ChunkId(chunk.chunk_id()) != suspect.chunk) co_return std::optional<records::Inode>();
  co_return inode;
}

}  // namespace

Task<Result<ChunkGroups>> ChunkRecheck::Groups() {
  Result<std::vector<Cluster::GroupView>> viewed = co_await cluster_.ViewGroups();
  CO_TRY_ASSIGN(const std::vector<Cluster::GroupView> views, std::move(viewed));
  co_return ChunkGroups(views);
}

/// Asks the members in sync, and takes away suspects that are none. A group that changes meanwhile says nothing.
Task<Result<void>> ChunkRecheck::AskOnce(std::vector<ChunkSuspect>& suspects, std::map<ChunkId, Verdict>& verdicts) {
  verdicts.clear();
  Result<ChunkGroups> before = co_await Groups();
  CO_TRY_ASSIGN(const ChunkGroups groups, std::move(before));
  std::map<ServerId, std::vector<ChunkId>> wanted;
  for (const ChunkSuspect& suspect : suspects) {
    for (ServerId server : groups.InSyncServers(suspect.pg)) wanted[server].push_back(suspect.chunk);
  }
  Result<ServerEndpoints> found = co_await ChunkInventory::FindServers(cluster_, log_);
  CO_TRY_ASSIGN(ServerEndpoints servers, std::move(found));
  const StoredNow now = co_await AskForChunks(std::move(servers), std::move(wanted), lister_, log_);
  Result<ChunkGroups> after = co_await Groups();
  CO_TRY_ASSIGN(const ChunkGroups groups_after, std::move(after));
  std::erase_if(suspects, [&](const ChunkSuspect& suspect) {
    if (groups.EpochOf(suspect.pg) != groups_after.EpochOf(suspect.pg)) return false;
    const std::vector<ServerId> in_sync = groups.InSyncServers(suspect.pg);
    Verdict verdict;
    for (ServerId server : in_sync) {
      if (!now.silent.contains(server) && !now.stored.contains({server, suspect.chunk}))
        verdict.lacking.push_back(server);
    }
    verdict.nobody_has_it = !in_sync.empty() && verdict.lacking.size() == in_sync.size();
    const bool is_fine = verdict.lacking.empty() || (verdict.nobody_has_it && !suspect.is_written);
    if (!is_fine) verdicts[suspect.chunk] = std::move(verdict);
    return is_fine;
  });
  co_return Result<void>();
}

Task<Result<void>> ChunkRecheck::Copies(std::vector<ChunkSuspect> suspects) {
  std::map<ChunkId, Verdict> verdicts;
  Result<void> asked = co_await AskOnce(suspects, verdicts);
  CO_TRY(asked);
  for (Duration pause : kPauses) {
    const bool all_sure = std::all_of(suspects.begin(), suspects.end(), [&](const ChunkSuspect& suspect) {
      return suspect.is_written && verdicts.contains(suspect.chunk);
    });
    if (all_sure) break;
    Result<void> paused = co_await Pause(env_, pause, log_);
    CO_TRY(paused);
    asked = co_await AskOnce(suspects, verdicts);
    CO_TRY(asked);
  }
  for (const ChunkSuspect& suspect : suspects) {
    auto verdict = verdicts.find(suspect.chunk);
    if (verdict == verdicts.end()) {
      log_.AddUnchecked("a placement group changes so often that its chunks cannot be compared: check again");
      continue;
    }
    Result<void> added = co_await AddMissing(suspect, verdict->second);
    CO_TRY(added);
  }
  co_return Result<void>();
}

Task<Result<void>> ChunkRecheck::AddMissing(const ChunkSuspect& suspect, const Verdict& verdict) {
  Result<std::optional<records::Inode>> found = co_await FindOwner(kv_, suspect);
  CO_TRY_ASSIGN(const std::optional<records::Inode> inode, std::move(found));
  if (!inode || !volumes_.Find(suspect.volume)) co_return Result<void>();
  const auto kind = verdict.nobody_has_it ? proto::CHECK_FAULT_MISSING_CHUNK : proto::CHECK_FAULT_MISSING_COPY;
  proto::CheckFault fault = MakeFault(kind, suspect.volume, suspect.ino);
  fault.set_chunk_id(suspect.chunk.value());
  fault.set_pg_id(suspect.pg.value());
  for (ServerId server : verdict.lacking) fault.add_server_ids(server.value());
  const std::uint64_t first_byte = suspect.index * kChunkBytes;
  fault.set_first_byte(first_byte);
  fault.set_end_byte(std::max(first_byte, std::min(first_byte + kChunkBytes, inode->size())));
  log_.Add(std::move(fault));
  co_return Result<void>();
}

Task<Result<void>> ChunkRecheck::Orphans(std::vector<OrphanSuspect> suspects) {
  Result<ServerEndpoints> found = co_await ChunkInventory::FindServers(cluster_, log_);
  CO_TRY_ASSIGN(ServerEndpoints servers, std::move(found));
  std::map<ServerId, std::vector<ChunkId>> wanted;
  for (const auto& [server, endpoint] : servers) {
    for (const OrphanSuspect& suspect : suspects) wanted[server].push_back(suspect.chunk);
  }
  const StoredNow now = co_await AskForChunks(std::move(servers), wanted, lister_, log_);
  for (const OrphanSuspect& suspect : suspects) {
    proto::CheckFault fault = MakeFault(proto::CHECK_FAULT_ORPHAN_CHUNK, VolumeId(), Ino());
    fault.set_chunk_id(suspect.chunk.value());
    fault.set_pg_id(suspect.pg.value());
    for (const auto& [server, chunks] : wanted) {
      if (now.stored.contains({server, suspect.chunk})) fault.add_server_ids(server.value());
    }
    if (fault.server_ids().empty()) continue;
    fault.set_repair(proto::CHECK_REPAIR_POSSIBLE);
    log_.Add(std::move(fault));
  }
  co_return Result<void>();
}

}  // namespace gabion
