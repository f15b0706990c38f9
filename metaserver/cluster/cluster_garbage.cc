// Chunks that servers are to delete.
#include <algorithm>

#include "metaserver/cluster/cluster.h"
#include "metaserver/store/load_value.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

namespace {

constexpr int kMaxLoadRounds = 16;

}  // namespace

std::vector<ServerId> Cluster::TakeLaterMembers(records::Garbage& garbage) const {
  const std::lock_guard lock(mutex_);
  std::vector<ServerId> later;
  auto group = groups_.find(PgId(garbage.pg_id()));
  if (group == groups_.end()) return later;
  for (const GroupMember& member : group->second.members) {
    if (member.added > Epoch(garbage.epoch())) later.push_back(member.id);
  }
  garbage.set_epoch(group->second.epoch.value());
  return later;
}

Task<Result<void>> Cluster::RemoveDeleted(ServerId server, google::protobuf::RepeatedField<std::uint64_t> chunks) {
  if (chunks.empty()) co_return Result<void>();
  // Only what is there is counted: a report may be repeated.
  WriteBatch batch;
  std::uint64_t removed = 0;
  std::uint64_t added = 0;
  for (std::uint64_t chunk : chunks) {
    std::string key = GarbageKey(server, ChunkId(chunk));
    Result<std::optional<std::string>> value = co_await LoadValue(kv_, key);
    CO_TRY_ASSIGN(std::optional<std::string> bytes, std::move(value));
    if (!bytes) continue;
    CO_TRY_ASSIGN(records::Garbage record, DecodeRecord<records::Garbage>(key, *bytes));
    batch.Delete(std::move(key));
    ++removed;
    // Whoever was made a member since may have got the chunk from this server before it was gone here.
    for (ServerId member : TakeLaterMembers(record)) {
      std::string later_key = GarbageKey(member, ChunkId(chunk));
      Result<std::optional<std::string>> known = co_await LoadValue(kv_, later_key);
      CO_TRY(known);
      if (*known) continue;
      batch.Put(std::move(later_key), EncodeRecord(record));
      ++added;
    }
  }
  if (removed == 0) co_return Result<void>();
  CommitSeq seq;
  {
    const std::lock_guard lock(mutex_);
    CO_TRY_ASSIGN(seq, Write(std::move(batch)));
    garbage_count_ += added;
    garbage_count_ -= std::min(garbage_count_, removed);
  }
  Result<void> applied = co_await kv_.WaitApplied(seq);
  co_return applied;
}

Task<Result<void>> Cluster::AddGarbage(ChunkId chunk, PgId pg, std::set<ServerId> servers) {
  records::Garbage record;
  record.set_pg_id(pg.value());
  {
    const std::lock_guard lock(mutex_);
    if (auto group = groups_.find(pg); group != groups_.end()) {
      record.set_epoch(group->second.epoch.value());
      for (const GroupMember& member : group->second.members) servers.insert(member.id);
    }
    std::erase_if(servers, [this](ServerId id) { return !servers_.contains(id); });
  }
  WriteBatch batch;
  std::uint64_t added = 0;
  for (ServerId server : servers) {
    std::string key = GarbageKey(server, chunk);
    Result<std::optional<std::string>> known = co_await LoadValue(kv_, key);
    CO_TRY(known);
    if (*known) continue;
    batch.Put(std::move(key), EncodeRecord(record));
    ++added;
  }
  CommitSeq seq;
  {
    const std::lock_guard lock(mutex_);
    CO_TRY_ASSIGN(seq, Write(std::move(batch)));
    garbage_count_ += added;
  }
  Result<void> applied = co_await kv_.WaitApplied(seq);
  co_return applied;
}

Task<Result<std::vector<std::uint64_t>>> Cluster::ListGarbage(ServerId server) {
  const std::string first = GarbagePrefix(server);
  const std::string last = PrefixEnd(first);
  for (int round = 0; round < kMaxLoadRounds; ++round) {
    std::vector<std::uint64_t> chunks;
    Result<void> decoded;
    Result<void> scanned = kv_.Scan(first, last, [&](std::string_view key, std::string_view) {
      Result<GarbageKeyParts> parts = DecodeGarbageKey(key);
      if (!parts) {
        decoded = parts.error();
        return false;
      }
      chunks.push_back(parts->chunk.value());
      return chunks.size() < kMaxDeletesPerHeartbeat;
    });
    CO_TRY(decoded);
    if (scanned) co_return chunks;
    if (scanned.error().code() != ErrorCode::kWouldBlock) co_return scanned.error();
    Result<void> loaded = co_await kv_.LoadRange(first, last, kMaxDeletesPerHeartbeat);
    CO_TRY(loaded);
  }
  // The heartbeat matters more than the garbage: what is not in memory by now goes with a later one.
  co_return std::vector<std::uint64_t>();
}

}  // namespace gabion
