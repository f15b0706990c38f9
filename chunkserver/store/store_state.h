#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "chunkserver/store/block_allocator.h"
#include "chunkserver/store/chunk_record.h"
#include "chunkserver/store/index_change.h"
#include "chunkserver/store/inline_blocks.h"
#include "chunkserver/store/page_plan.h"
#include "chunkserver/store/pending_pages.h"
#include "chunkserver/store/reuse_gate.h"
#include "chunkserver/store/shared_blocks.h"
#include "chunkserver/store/superblock.h"
#include "chunkserver/store/unsettled_chunks.h"
#include "common/env/clock.h"
#include "common/env/kv_store.h"

namespace gabion {

/// Chunk records lately used. Two maps take turns, so that it stays bounded and keeps what is in use.
class ChunkCache {
 public:
  static constexpr std::size_t kEntriesMax = 16384;  // in each map; some 100 bytes an entry

  const ChunkRecord* Find(ChunkId chunk);
  void Put(ChunkId chunk, const ChunkRecord& record);
  void Remove(ChunkId chunk);

 private:
  std::unordered_map<ChunkId, ChunkRecord> young_;
  std::unordered_map<ChunkId, ChunkRecord> old_;
};

/// A read of the index in the middle of a decision found its data on disk: load this key and decide again.
struct MissingKey {
  std::string key;
};

/// What a store keeps in memory of its index, and how one changes with the other. Everything here is done under one
/// mutex (StoreCore's) and never suspends: decisions that need a record which is not in memory change nothing, say so
/// with kWouldBlock and leave its key in `missing`.
class StoreState {
 public:
  StoreState(KvStore& index_store, Superblock first)
      : index(index_store), superblock(std::move(first)), allocator(superblock.slab_bytes / kBlockBytes) {}

  /// Nothing if the chunk was never written. Errors: kWouldBlock, kCorrupt, kIo.
  Result<std::optional<ChunkRecord>> FindChunk(ChunkId chunk, MissingKey& missing);

  /// Commits `change`; the blocks of `allocated` were reserved and are written. Errors: kWouldBlock; kStale if it would
  /// make a chunk anew that was removed lately; what KvStore::Apply says, after which the store takes no more writes.
  Result<CommitSeq> Commit(const IndexChange& change, const std::vector<BlockRun>& allocated, MissingKey& missing);

  /// Ends previous records of `generation`, which is durable in slabs and index: at most `count` of them, oldest key
  /// first. True if there are more. Errors: as Commit.
  Result<bool> EndPrevious(std::uint64_t generation, std::size_t count, MissingKey& missing);

  /// Takes these chunks out of the set of unsettled ones. Errors: what KvStore::Apply says.
  Result<CommitSeq> ClearUnsettled(PgId pg, const std::vector<ChunkId>& cleared);

  /// Takes away tombstones older than `keep` among the next `count` after `after`, which moves on. True if there are
  /// more. Errors: kWouldBlock (nothing is in memory there), kCorrupt, what KvStore::Apply says.
  Result<bool> ExpireTombstones(ChunkId& after, std::size_t count, std::int64_t now_ns, Duration keep);

  /// What may be reused becomes free.
  void ReleaseReusable();

  KvStore& index;
  Superblock superblock;
  BlockAllocator allocator;
  PendingPages pending;
  ReuseGate gate;
  InlineBlocks inlined;
  UnsettledChunks unsettled;
  ChunkCache chunks;
  std::uint64_t chunk_count = 0;
  std::set<std::uint32_t> dirty_slabs;  // written since the last sync began
  CommitSeq applied;
  CommitSeq durable;

 private:
  /// References that change, worked out before anything is touched.
  struct References {
    std::map<std::uint32_t, SharedBlocks> tables;  // of the segments concerned, as they will be
    std::set<std::uint32_t> changed_tables;
    std::vector<BlockAddress> freed;
  };

  // Errors: kStale if there is one.
  Result<void> CheckNoTombstone(ChunkId chunk, MissingKey& missing);
  Result<References> PlanReferences(const ReferencePlan& plan, MissingKey& missing);
  // Puts them into the batch and the allocator; returns what was freed.
  std::vector<BlockRun> StageReferences(const References& references, std::set<std::uint32_t>& segments,
                                        WriteBatch& batch);
  void StageSegments(const std::set<std::uint32_t>& segments, WriteBatch& batch);
  void StagePrevious(const std::vector<ReferencePlan::Previous>& previous, WriteBatch& batch);
  void StagePages(const std::vector<PageChange>& pages, WriteBatch& batch);
  // The chunk's record after the change; nothing if it goes.
  std::optional<ChunkRecord> StageChunk(const ChunkChange& change, const std::optional<ChunkRecord>& before,
                                        WriteBatch& batch);
  void StageCount(std::uint64_t count, WriteBatch& batch);
  // What follows from the chunk's record, before and after: its places in the tables of groups and of unsettled chunks.
  static void StageGroup(ChunkId chunk, const std::optional<ChunkRecord>& before,
                         const std::optional<ChunkRecord>& after, WriteBatch& batch);
  void StageUnsettled(const ChunkChange& change, const std::optional<ChunkRecord>& before,
                      const std::optional<ChunkRecord>& after, WriteBatch& batch);
};

}  // namespace gabion
