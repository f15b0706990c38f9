// Which chunks of a placement group a store has, and which of them are unsettled (docs/replication.md).
#include "chunkserver/store/kv_load.h"
#include "chunkserver/store/mark_record.h"
#include "chunkserver/store/store_core.h"

namespace gabion {
namespace {

Error BadGroupKey() {
  return {ErrorCode::kCorrupt, "the chunk index has a key that does not parse in its table of groups"};
}

}  // namespace

bool StoreCore::IsUnsettled(GroupChunkKey key) const {
  std::lock_guard lock(mutex_);
  return state_ != nullptr && state_->unsettled.Contains(key);
}

Task<Result<void>> StoreCore::ClearUnsettled(PgId pg, std::vector<ChunkId> chunks) {
  CO_TRY(CheckOnline());
  Result<CommitSeq> cleared = [&] {
    std::lock_guard lock(mutex_);
    return state_->ClearUnsettled(pg, chunks);
  }();
  if (!cleared) co_return Checked(cleared.error());
  co_return Result<void>();
}

std::vector<ChunkId> StoreCore::FindUnsettled(PgId pg, ChunkId after, std::size_t count) const {
  std::lock_guard lock(mutex_);
  std::vector<ChunkId> found;
  const std::set<ChunkId>& chunks = state_->unsettled.Of(pg);
  for (auto at = chunks.upper_bound(after); at != chunks.end() && found.size() < count; ++at) found.push_back(*at);
  return found;
}

Task<Result<void>> StoreCore::ScanGroup(PgId pg, Epoch after_epoch, std::function<void(ChunkId)> visit) {
  if (after_epoch.next() < after_epoch) co_return Result<void>();
  Result<void> decoded;
  KvStore::Visitor visitor = [&](std::string_view key, std::string_view value) {
    std::optional<GroupKey> group = DecodeGroupEntryKey(key);
    decoded = group ? DecodeMark(value) : BadGroupKey();
    if (decoded) visit(group->chunk);
    return decoded.has_value();
  };
  // A chunk that changes meanwhile moves to a later epoch, where the scan meets it again: none is missed.
  std::string first = EncodeKey(GroupKey{pg, after_epoch.next(), ChunkId()});
  std::string end = PrefixEnd(GroupPrefix(pg));
  Result<void> scanned = co_await ScanLoaded(index_, first, end, visitor);
  if (!scanned) co_return scanned.error();
  co_return decoded;
}

Task<Result<void>> StoreCore::ScanChunks(ChunkId after, std::function<bool(ChunkId, const ChunkRecord&)> visit) {
  std::optional<Error> failure;
  KvStore::Visitor visitor = [&](std::string_view key, std::string_view value) {
    const std::optional<ChunkId> chunk = DecodeChunkRecordKey(key);
    Result<ChunkRecord> record = DecodeChunkRecord(value);
    if (chunk && record) return visit(*chunk, *record);
    failure = record
                  ? Error(ErrorCode::kCorrupt, "the chunk index has a key that does not parse in its table of chunks")
                  : record.error();
    return false;
  };
  std::string first = ChunkKey(after.next());
  std::string end = PrefixEnd(std::string(1, kChunkTable));
  Result<void> scanned = co_await ScanLoaded(index_, first, end, visitor);
  if (failure) co_return *failure;
  co_return scanned;
}

Task<Result<std::vector<PgId>>> StoreCore::FindGroups() {
  std::vector<PgId> groups;
  std::string table(1, kGroupTable);
  std::string end = PrefixEnd(table);
  for (std::string first = table;;) {
    std::optional<GroupKey> found;
    bool is_bad = false;
    KvStore::Visitor visitor = [&](std::string_view key, std::string_view) {
      found = DecodeGroupEntryKey(key);
      is_bad = !found;
      return false;
    };
    Result<void> scanned = co_await ScanLoaded(index_, first, end, visitor);
    if (!scanned) co_return scanned.error();
    if (is_bad) co_return BadGroupKey();
    if (!found) co_return groups;
    groups.push_back(found->pg);
    first = PrefixEnd(GroupPrefix(found->pg));  // over all the others of this one
  }
}

}  // namespace gabion
