// Chunks that servers are to delete.
#include "metaserver/cluster/cluster.h"

namespace gabion {

namespace {

constexpr int kMaxLoadRounds = 16;

}  // namespace

Task<Result<void>> Cluster::RemoveDeleted(ServerId server, google::protobuf::RepeatedField<std::uint64_t> chunks) {
  if (chunks.empty()) co_return Result<void>();
  // Only what is there is counted: a report may be repeated.
  WriteBatch batch;
  std::uint64_t removed = 0;
  for (std::uint64_t chunk : chunks) {
    std::string key = GarbageKey(server, ChunkId(chunk));
    Result<std::optional<std::string>> value = kv_.Get(key);
    for (int round = 0; !value && value.error().code() == ErrorCode::kWouldBlock && round < kMaxLoadRounds; ++round) {
      Result<void> loaded = co_await kv_.Load(key);
      CO_TRY(loaded);
      value = kv_.Get(key);
    }
    CO_TRY_ASSIGN(std::optional<std::string> record, std::move(value));
    if (!record) continue;
    batch.Delete(std::move(key));
    ++removed;
  }
  if (removed == 0) co_return Result<void>();
  CommitSeq seq;
  {
    const std::lock_guard lock(mutex_);
    CO_TRY_ASSIGN(seq, Write(std::move(batch)));
    garbage_count_ -= std::min(garbage_count_, removed);
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
