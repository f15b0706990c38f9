#include "chunkserver/store/store_state.h"

#include <algorithm>

#include "chunkserver/store/mark_record.h"
#include "chunkserver/store/record_codec.h"
#include "chunkserver/store/tombstone.h"
#include "common/base/check.h"

namespace gabion {
namespace {

constexpr std::uint8_t kPreviousHolesVersion = 1;

}  // namespace

const ChunkRecord* ChunkCache::Find(ChunkId chunk) {
  auto found = young_.find(chunk);
  if (found != young_.end()) return &found->second;
  auto aged = old_.find(chunk);
  if (aged == old_.end()) return nullptr;
  ChunkRecord record = aged->second;
  old_.erase(aged);
  Put(chunk, record);
  return &young_.find(chunk)->second;
}

void ChunkCache::Put(ChunkId chunk, const ChunkRecord& record) {
  if (young_.size() >= kEntriesMax && !young_.contains(chunk)) {
    old_ = std::move(young_);
    young_.clear();
  }
  old_.erase(chunk);
  young_[chunk] = record;
}

void ChunkCache::Remove(ChunkId chunk) {
  young_.erase(chunk);
  old_.erase(chunk);
}

Result<std::optional<ChunkRecord>> StoreState::FindChunk(ChunkId chunk, MissingKey& missing) {
  if (const ChunkRecord* cached = chunks.Find(chunk); cached != nullptr) return std::optional(*cached);
  std::string key = ChunkKey(chunk);
  Result<std::optional<std::string>> value = index.Get(key);
  if (!value) {
    missing.key = std::move(key);
    return value.error();
  }
  if (!value->has_value()) return std::optional<ChunkRecord>();
  TRY_ASSIGN(ChunkRecord record, DecodeChunkRecord(**value));
  chunks.Put(chunk, record);
  return std::optional(record);
}

Result<void> StoreState::CheckNoTombstone(ChunkId chunk, MissingKey& missing) {
  std::string key = TombstoneKey(chunk);
  Result<std::optional<std::string>> value = index.Get(key);
  if (!value) {
    missing.key = std::move(key);
    return value.error();
  }
  if (!value->has_value()) return {};
  return Error(ErrorCode::kStale, "chunk " + ToString(chunk) + " was removed with its file");
}

Result<StoreState::References> StoreState::PlanReferences(const ReferencePlan& plan, MissingKey& missing) {
  References references;
  auto segment_of = [](BlockAddress address) { return static_cast<std::uint32_t>(address / kBlocksPerSegment); };
  auto block_of = [](BlockAddress address) { return static_cast<std::uint16_t>(address % kBlocksPerSegment); };
  auto load = [&](std::uint32_t segment) -> Result<void> {
    if (references.tables.contains(segment)) return {};
    SharedBlocks table;
    if (allocator.has_shared(segment)) {
      std::string key = RefcountKey(segment);
      Result<std::optional<std::string>> value = index.Get(key);
      if (!value) {
        missing.key = std::move(key);
        return value.error();
      }
      if (!value->has_value()) return Error(ErrorCode::kCorrupt, "reference counts of a segment are missing");
      TRY_ASSIGN(table, SharedBlocks::Decode(**value));
    }
    references.tables.emplace(segment, std::move(table));
    return {};
  };
  for (BlockAddress address : plan.added) {
    std::uint32_t segment = segment_of(address);
    TRY(load(segment));
    if (!references.tables[segment].Add(block_of(address))) {
      return Error(ErrorCode::kTooManyLinks, "a block is shared too often to be shared once more");
    }
    references.changed_tables.insert(segment);
  }
  for (BlockAddress address : plan.dropped) {
    std::uint32_t segment = segment_of(address);
    // The usual case: nothing in this segment is shared, and nothing is looked up.
    if (!allocator.has_shared(segment) && !references.tables.contains(segment)) {
      references.freed.push_back(address);
      continue;
    }
    TRY(load(segment));
    if (references.tables[segment].Drop(block_of(address))) {
      references.freed.push_back(address);
    } else {
      references.changed_tables.insert(segment);
    }
  }
  std::sort(references.freed.begin(), references.freed.end());
  return references;
}

std::vector<BlockRun> StoreState::StageReferences(const References& references, std::set<std::uint32_t>& segments,
                                                  WriteBatch& batch) {
  for (std::uint32_t segment : references.changed_tables) {
    const SharedBlocks& table = references.tables.at(segment);
    if (table.empty()) {
      batch.Delete(RefcountKey(segment));
    } else {
      batch.Put(RefcountKey(segment), table.Encode());
    }
    if (allocator.has_shared(segment) != !table.empty()) {
      allocator.SetShared(segment, !table.empty());
      segments.insert(segment);
    }
  }
  std::vector<BlockRun> runs;
  for (BlockAddress address : references.freed) AppendBlock(runs, address);
  for (const BlockRun& run : runs) {
    allocator.Free(run);
    for (BlockAddress at = run.first / kBlocksPerSegment; at <= (run.end() - 1) / kBlocksPerSegment; ++at) {
      segments.insert(static_cast<std::uint32_t>(at));
    }
  }
  return runs;
}

void StoreState::StageSegments(const std::set<std::uint32_t>& segments, WriteBatch& batch) {
  for (std::uint32_t segment : segments) {
    if (std::optional<SegmentRecord> record = allocator.Record(segment)) {
      batch.Put(SegmentKey(segment), EncodeSegmentRecord(*record));
    } else {
      batch.Delete(SegmentKey(segment));
    }
  }
}

void StoreState::StagePrevious(const std::vector<ReferencePlan::Previous>& previous, WriteBatch& batch) {
  std::uint64_t generation = pending.current();
  for (std::size_t i = 0; i < previous.size(); ++i) {
    const ReferencePlan::Previous& first = previous[i];
    if (!first.is_new || !first.record.all_holes()) {
      if (first.is_new) {
        pending.Add(first.key, first.record, true);
      } else {
        PendingPages::Previous* current = pending.InCurrent(first.key);
        *current = {first.record, true};
      }
      batch.Put(EncodeKey(PreviousKey{generation, first.key}), EncodePageRecord(first.record));
      continue;
    }
    // Pages in a row that were holes, as a stream leaves them behind, take one record.
    std::uint16_t count = 0;
    while (i + count < previous.size() && previous[i + count].is_new && previous[i + count].record.all_holes() &&
           previous[i + count].key == PageKey{first.key.chunk, static_cast<std::uint16_t>(first.key.page + count)}) {
      pending.Add(previous[i + count].key, PageRecord(), false);
      ++count;
    }
    RecordWriter writer;
    writer.U8(kPreviousHolesVersion);
    writer.U16(count);
    PreviousKey key{generation, first.key};
    batch.Put(PreviousHolesKey(key), std::move(writer).Take());
    pending.AddHolesKey(key);
    i += count - std::size_t{1};
  }
}

void StoreState::StagePages(const std::vector<PageChange>& pages, WriteBatch& batch) {
  for (const PageChange& page : pages) {
    if (!page.after.all_holes()) {
      batch.Put(EncodeKey(page.key), EncodePageRecord(page.after));
    } else if (!page.before.all_holes()) {
      batch.Delete(EncodeKey(page.key));
    }
  }
}

std::optional<ChunkRecord> StoreState::StageChunk(const ChunkChange& change, const std::optional<ChunkRecord>& before,
                                                  WriteBatch& batch) {
  std::uint64_t count = chunk_count;
  std::optional<ChunkRecord> after;
  if (change.remove) {
    if (change.tombstone_ns) batch.Put(TombstoneKey(change.chunk), EncodeTombstone({*change.tombstone_ns}));
    if (before.has_value()) batch.Delete(ChunkKey(change.chunk));
    if (before.has_value()) --count;
  } else {
    after = before.value_or(ChunkRecord());
    if (change.pg) after->pg = change.pg;
    after->last_write_epoch = std::max(after->last_write_epoch, change.epoch);
    after->length_bytes = std::max(after->length_bytes, change.grow_to_bytes);
    if (change.cut_to_bytes) after->length_bytes = std::min(after->length_bytes, *change.cut_to_bytes);
    after->trim_generation = std::max(after->trim_generation, change.trim_generation);
    if (change.adopt_trim_generation) after->trim_generation = *change.adopt_trim_generation;
    if (after != before) batch.Put(ChunkKey(change.chunk), EncodeChunkRecord(*after));
    if (!before.has_value()) ++count;
  }
  if (count != chunk_count) StageCount(count, batch);
  StageGroup(change.chunk, before, after, batch);
  StageUnsettled(change, before, after, batch);
  return after;
}

void StoreState::StageCount(std::uint64_t count, WriteBatch& batch) {
  chunk_count = count;
  RecordWriter writer;
  writer.U64(count);
  batch.Put(ChunkCountKey(), std::move(writer).Take());
}

void StoreState::StageGroup(ChunkId chunk, const std::optional<ChunkRecord>& before,
                            const std::optional<ChunkRecord>& after, WriteBatch& batch) {
  auto place_of = [&](const std::optional<ChunkRecord>& record) -> std::optional<GroupKey> {
    if (!record) return std::nullopt;
    return GroupKey{record->pg, record->last_write_epoch, chunk};
  };
  std::optional<GroupKey> old_place = place_of(before);
  std::optional<GroupKey> new_place = place_of(after);
  if (old_place == new_place) return;
  if (old_place) batch.Delete(EncodeKey(*old_place));
  if (new_place) batch.Put(EncodeKey(*new_place), EncodeMark());
}

void StoreState::StageUnsettled(const ChunkChange& change, const std::optional<ChunkRecord>& before,
                                const std::optional<ChunkRecord>& after, WriteBatch& batch) {
  std::optional<GroupChunkKey> old_key;
  if (before && unsettled.Contains({before->pg, change.chunk})) old_key = {before->pg, change.chunk};
  std::optional<GroupChunkKey> new_key;
  if (after && (old_key || change.unsettled)) new_key = {after->pg, change.chunk};
  if (old_key == new_key) return;
  if (old_key) {
    unsettled.Remove(*old_key);
    batch.Delete(UnsettledKey(*old_key));
  }
  if (new_key) {
    unsettled.Add(*new_key);
    batch.Put(UnsettledKey(*new_key), EncodeMark());
  }
}

Result<CommitSeq> StoreState::Commit(const IndexChange& change, const std::vector<BlockRun>& allocated,
                                     MissingKey& missing) {
  // Decide: nothing is changed until all that is needed is at hand.
  std::optional<ChunkRecord> chunk_before;
  if (change.chunk) {
    TRY_ASSIGN(chunk_before, FindChunk(change.chunk->chunk, missing));
    // Most changes are of chunks that are there, and look no further.
    if (!chunk_before && !change.chunk->remove) {
      TRY(CheckNoTombstone(change.chunk->chunk, missing));
    }
  }
  ReferencePlan plan;
  for (const PageChange& page : change.pages) PlanPageChange(page, change.data_is_durable, pending, plan);
  TRY_ASSIGN(References references, PlanReferences(plan, missing));

  // Stage.
  WriteBatch batch;
  std::set<std::uint32_t> segments;
  for (const BlockRun& run : allocated) {
    allocator.Commit(run);
    for (BlockAddress at = run.first / kBlocksPerSegment; at <= (run.end() - 1) / kBlocksPerSegment; ++at) {
      segments.insert(static_cast<std::uint32_t>(at));
    }
    if (!change.data_is_durable) {
      dirty_slabs.insert(static_cast<std::uint32_t>(run.first / (superblock.slab_bytes / kBlockBytes)));
    }
  }
  std::vector<BlockRun> freed = StageReferences(references, segments, batch);
  StageSegments(segments, batch);
  StagePrevious(plan.previous, batch);
  StagePages(change.pages, batch);
  for (const InlineWrite& write : change.inline_writes) batch.Put(EncodeKey(write.key), EncodeInlineBlock(write.block));
  for (const BlockKey& key : change.inline_removals) batch.Delete(EncodeKey(key));
  std::optional<ChunkRecord> chunk_after;
  if (change.chunk) chunk_after = StageChunk(*change.chunk, chunk_before, batch);
  if (batch.empty()) return applied;

  // Commit. If this fails the store is finished, so nothing above is taken back.
  TRY_ASSIGN(applied, index.Apply(batch));
  for (const BlockRun& run : freed) gate.Add(run, applied);
  for (const InlineWrite& write : change.inline_writes) inlined.Put(write);
  for (const BlockKey& key : change.inline_removals) inlined.Remove(key);
  if (chunk_after) {
    chunks.Put(change.chunk->chunk, *chunk_after);
  } else if (change.chunk) {
    chunks.Remove(change.chunk->chunk);
  }
  return applied;
}

Result<bool> StoreState::EndPrevious(std::uint64_t generation, std::size_t count, MissingKey& missing) {
  ReferencePlan plan;
  std::vector<std::pair<PageKey, bool>> ended;  // with whether it has a key of its own
  const PendingPages::Pages& pages = pending.PagesOf(generation);
  for (auto at = pages.begin(); at != pages.end() && ended.size() < count; ++at) {
    const auto& [key, previous] = *at;
    ended.emplace_back(key, previous.has_key);
    if (previous.record.all_holes()) continue;
    Result<std::optional<std::string>> value = index.Get(EncodeKey(key));
    if (!value) {
      missing.key = EncodeKey(key);
      return value.error();
    }
    PageRecord current;
    if (value->has_value()) {
      TRY_ASSIGN(current, DecodePageRecord(**value));
    }
    std::vector<const PageRecord*> staying = pending.Versions(key);
    std::erase(staying, &previous.record);
    staying.push_back(&current);
    PlanPreviousEnd(previous.record, staying, plan);
  }
  TRY_ASSIGN(References references, PlanReferences(plan, missing));

  WriteBatch batch;
  std::set<std::uint32_t> segments;
  std::vector<BlockRun> freed = StageReferences(references, segments, batch);
  StageSegments(segments, batch);
  for (const auto& [key, has_key] : ended) {
    if (has_key) batch.Delete(EncodeKey(PreviousKey{generation, key}));
    pending.Remove(generation, key);
  }
  bool more = !pending.PagesOf(generation).empty();
  if (!more) {
    for (const PageKey& key : pending.HolesKeysOf(generation)) batch.Delete(PreviousHolesKey({generation, key}));
    pending.DropHolesKeys(generation);
  }
  if (batch.empty()) return more;
  TRY_ASSIGN(applied, index.Apply(batch));
  // A block may have been in use until a moment ago (zeroed since the generation ended), so this waits like any other.
  for (const BlockRun& run : freed) gate.Add(run, applied);
  return more;
}

Result<CommitSeq> StoreState::ClearUnsettled(PgId pg, const std::vector<ChunkId>& cleared) {
  WriteBatch batch;
  for (ChunkId chunk : cleared) {
    GroupChunkKey key{pg, chunk};
    if (!unsettled.Contains(key)) continue;
    unsettled.Remove(key);
    batch.Delete(UnsettledKey(key));
  }
  if (batch.empty()) return applied;
  TRY_ASSIGN(applied, index.Apply(batch));
  return applied;
}

Result<bool> StoreState::ExpireTombstones(ChunkId& after, std::size_t count, std::int64_t now_ns, Duration keep) {
  WriteBatch batch;
  Result<void> decoded;
  std::size_t visited = 0;
  KvStore::Visitor visit = [&](std::string_view key, std::string_view value) {
    std::optional<ChunkId> chunk = DecodeTombstoneKey(key);
    Result<Tombstone> tombstone = DecodeTombstone(value);
    if (!chunk || !tombstone) {
      decoded = tombstone ? Error(ErrorCode::kCorrupt, "a tombstone's key does not parse") : tombstone.error();
      return false;
    }
    if (tombstone->removed_ns <= now_ns - keep.count()) {
      batch.Delete(std::string(key));
    } else if (tombstone->removed_ns > now_ns) {
      // The clock was set back: by the time it said then, this one might stay for years.
      batch.Put(std::string(key), EncodeTombstone({now_ns}));
    }
    after = *chunk;
    return ++visited < count;
  };
  Result<void> scanned = index.Scan(TombstoneKey(after.next()), PrefixEnd(std::string(1, kTombstoneTable)), visit);
  TRY(decoded);
  bool is_cold = !scanned && scanned.error().code() == ErrorCode::kWouldBlock;
  if (!scanned && (!is_cold || visited == 0)) return scanned.error();
  if (!batch.empty()) {
    TRY_ASSIGN(applied, index.Apply(batch));
  }
  return is_cold || visited == count;
}

void StoreState::ReleaseReusable() {
  for (const BlockRun& run : gate.TakeReusable()) allocator.Release(run);
}

}  // namespace gabion
