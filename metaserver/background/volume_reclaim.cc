#include <fmt/format.h>

#include "common/base/log.h"
#include "metaserver/background/duties.h"
#include "metaserver/op/removal.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

namespace {

constexpr std::size_t kVolumeRecordsPerStep = 128;
constexpr int kMaxLoadRounds = 8;

// The order matters to a restart in between: inodes and chunk maps lead to chunks and go first.
constexpr Table kTables[] = {Table::kInode,       Table::kChunk,      Table::kDentry,  Table::kXattr,
                             Table::kOrphan,      Table::kReclaim,    Table::kOpReply, Table::kSession,
                             Table::kVolumeStats, Table::kVolumeState};

struct Found {
  std::vector<std::string> keys;
  std::vector<records::Chunk> chunks;
};

/// What is to be removed of one record.
Result<void> Take(Table table, std::string_view key, std::string_view value, Found& found) {
  found.keys.emplace_back(key);
  if (table == Table::kChunk) {
    TRY_ASSIGN(records::Chunk chunk, DecodeRecord<records::Chunk>(key, value));
    found.chunks.push_back(std::move(chunk));
  } else if (table == Table::kInode) {
    TRY_ASSIGN(const records::Inode inode, DecodeRecord<records::Inode>(key, value));
    if (inode.has_first_chunk()) found.chunks.push_back(inode.first_chunk());
  }
  return {};
}

Task<Result<Found>> FindSome(KvStore& kv, Table table, VolumeId volume) {
  const std::string first = TablePrefix(table, volume);
  const std::string last = PrefixEnd(first);
  for (int round = 0; round < kMaxLoadRounds; ++round) {
    Found found;
    Result<void> taken;
    Result<void> scanned = kv.Scan(first, last, [&](std::string_view key, std::string_view value) {
      taken = Take(table, key, value, found);
      return taken.has_value() && found.keys.size() < kVolumeRecordsPerStep;
    });
    CO_TRY(taken);
    if (scanned) co_return found;
    if (scanned.error().code() != ErrorCode::kWouldBlock) co_return scanned.error();
    Result<void> loaded = co_await kv.LoadRange(first, last, kVolumeRecordsPerStep);
    CO_TRY(loaded);
  }
  co_return Error(ErrorCode::kUnavailable, "the metadata store does not keep in memory what it loaded");
}

}  // namespace

Task<Result<bool>> Duties::ReclaimVolumeStep(VolumeId id) {
  WriteBatch batch;
  std::uint64_t garbage = 0;
  const std::shared_ptr<const Placement> placement = cluster_.placement();
  for (Table table : kTables) {
    Result<Found> some = co_await FindSome(kv_, table, id);
    CO_TRY_ASSIGN(Found found, std::move(some));
    if (found.keys.empty()) continue;
    for (std::string& key : found.keys) batch.Delete(std::move(key));
    for (const records::Chunk& chunk : found.chunks) {
      const PgId pg(chunk.pg_id());
      for (ServerId member : placement->MembersOf(pg)) {
        batch.Put(GarbageKey(member, ChunkId(chunk.chunk_id())), EncodeRecord(GarbageOf(*placement, pg)));
        ++garbage;
      }
    }
    break;
  }
  const bool finished = batch.empty();
  if (finished) batch.Delete(VolumeKey(id));
  CO_TRY_ASSIGN([[maybe_unused]] CommitSeq seq, kv_.Apply(batch));
  cluster_.AddGarbageCount(garbage);
  co_return finished;
}

Task<Result<void>> Duties::ReclaimVolumes() {
  int steps = 0;
  for (VolumeId id : volumes_.Deleting()) {
    bool finished = false;
    while (!finished && !stopping_ && steps < kMaxStepsPerPass) {
      Result<bool> stepped = co_await ReclaimVolumeStep(id);
      CO_TRY_ASSIGN(finished, std::move(stepped));
      ++steps;
      co_await Yield();
    }
    if (!finished) break;
    volumes_.RecordRemoved(id);
    LogInfo("everything of deleted volume {} has been removed", id.value());
  }
  co_return Result<void>();
}

}  // namespace gabion
