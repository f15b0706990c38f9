// How a store begins: from nothing, after its process ended, or after the machine lost power.
#include <algorithm>
#include <bitset>

#include "chunkserver/store/kv_load.h"
#include "chunkserver/store/mark_record.h"
#include "chunkserver/store/record_codec.h"
#include "chunkserver/store/slab_name.h"
#include "chunkserver/store/store_core.h"
#include "common/base/log.h"

namespace gabion {
namespace {

constexpr std::uint8_t kPreviousHolesVersion = 1;

Error BadKey(const char* table) {
  return {ErrorCode::kCorrupt, std::string("the chunk index has a key that does not parse in its table of ") + table};
}

}  // namespace

Task<Result<void>> StoreCore::Open() {
  TimePoint began = env_.clock.Now();
  Result<void> done = co_await LoadSuperblock();
  if (done) done = co_await OpenSlabs();
  if (done) done = co_await LoadSegments();
  if (done) done = co_await LoadPrevious();
  if (done) done = co_await LoadInline();
  if (done) done = co_await LoadUnsettled();
  // From now on the index's word stands: what earlier processes freed may be written over.
  if (done) done = co_await SyncIndex();
  if (done) done = co_await RefreshSpace();
  if (!done) {
    GoOffline(done.error());
    co_return done.error();
  }
  state_->applied = state_->durable;
  for (std::size_t i = 0; i < slabs_.size(); ++i) state_->dirty_slabs.insert(static_cast<std::uint32_t>(i));
  if (state_->superblock.boot_id != disk_.boot_id()) {
    lost_unsynced_ = true;
    done = co_await SettlePowerLoss();
    if (!done) {
      GoOffline(done.error());
      co_return done.error();
    }
  }
  state_->allocator.MarkAllPunchable();
  LogInfo("store {}: {} chunks, {} MiB in {} slabs; open after {} ms", name_, state_->chunk_count,
          state_->allocator.allocated_blocks() * kBlockBytes / kMiB, slabs_.size(),
          std::chrono::duration_cast<std::chrono::milliseconds>(env_.clock.Now() - began).count());
  tasks_.Spawn(env_.executor, Upkeep());
  co_return Result<void>();
}

Task<Result<void>> StoreCore::LoadSuperblock() {
  std::string key = SuperblockKey();
  Result<std::optional<std::string>> value = co_await GetLoaded(index_, key);
  if (!value) co_return value.error();
  Superblock superblock;
  if (value->has_value()) {
    Result<Superblock> decoded = DecodeSuperblock(**value);
    if (!decoded) co_return decoded.error();
    superblock = *decoded;
    if (superblock.slab_bytes != options_.slab_bytes) {
      LogInfo("store {}: keeps the slab size it was made with, {} bytes", name_, superblock.slab_bytes);
    }
  } else {
    while (superblock.store_id == 0) superblock.store_id = env_.random.Next();
    superblock.slab_bytes = options_.slab_bytes;
    superblock.boot_id = disk_.boot_id();
    std::string encoded = EncodeSuperblock(superblock);
    Result<Superblock> checked = DecodeSuperblock(encoded);
    if (!checked) {
      co_return Error(ErrorCode::kInvalidArgument, "a slab size of " + std::to_string(options_.slab_bytes) +
                                                       " bytes: it must be a multiple of 4 KiB, from 64 KiB to 1 TiB");
    }
    WriteBatch batch;
    batch.Put(key, std::move(encoded));
    Result<CommitSeq> applied = index_.Apply(batch);
    if (!applied) co_return applied.error();
  }
  state_ = std::make_unique<StoreState>(index_, std::move(superblock));
  std::string count_key = ChunkCountKey();
  Result<std::optional<std::string>> count = co_await GetLoaded(index_, count_key);
  if (!count) co_return count.error();
  if (count->has_value()) {
    RecordReader reader(**count);
    state_->chunk_count = reader.U64();
    if (!reader.AtEnd()) co_return Error(ErrorCode::kCorrupt, "the record of the number of chunks does not parse");
  }
  co_return Result<void>();
}

Task<Result<void>> StoreCore::OpenSlabs() {
  for (std::size_t i = 0; i < state_->superblock.slab_count; ++i) {
    std::string name = SlabName(i);
    Result<std::unique_ptr<DiskFile>> slab = co_await disk_.Open(name, state_->superblock.slab_bytes);
    if (!slab) co_return slab.error();
    slabs_.push_back(std::move(*slab));
    state_->allocator.AddSlab();
  }
  co_return Result<void>();
}

Task<Result<void>> StoreCore::ScanTable(std::string prefix,
                                        std::function<Result<void>(std::string_view, std::string_view)> visit) {
  Result<void> result;
  KvStore::Visitor visitor = [&](std::string_view key, std::string_view value) {
    result = visit(key, value);
    return result.has_value();
  };
  std::string end = PrefixEnd(prefix);
  Result<void> scanned = co_await ScanLoaded(index_, prefix, end, visitor);
  if (!scanned) co_return scanned.error();
  co_return result;
}

Task<Result<void>> StoreCore::LoadSegments() {
  std::function<Result<void>(std::string_view, std::string_view)> visit =
      [this](std::string_view key, std::string_view value) -> Result<void> {
    std::optional<std::uint32_t> segment = DecodeSegmentKey(key);
    if (!segment) return BadKey("segments");
    TRY_ASSIGN(SegmentRecord record, DecodeSegmentRecord(value));
    return state_->allocator.Load(*segment, record);
  };
  std::string prefix(1, kSegmentTable);
  co_return co_await ScanTable(prefix, visit);
}

Task<Result<void>> StoreCore::LoadPrevious() {
  std::function<Result<void>(std::string_view, std::string_view)> visit_holes =
      [this](std::string_view key, std::string_view value) -> Result<void> {
    std::optional<PreviousKey> first = DecodePreviousKey(key);
    RecordReader reader(value);
    std::uint8_t version = reader.U8();
    std::uint16_t count = reader.U16();
    if (!first || !reader.AtEnd() || version != kPreviousHolesVersion || first->page.page + count > kPagesPerChunk) {
      return BadKey("previous holes");
    }
    for (std::uint16_t i = 0; i < count; ++i) {
      PageKey page{first->page.chunk, static_cast<std::uint16_t>(first->page.page + i)};
      state_->pending.Load(first->generation, page, PageRecord(), false);
    }
    state_->pending.AddHolesKey(*first);
    return {};
  };
  std::string holes_prefix(1, kPreviousHolesTable);
  Result<void> loaded = co_await ScanTable(holes_prefix, visit_holes);
  if (!loaded) co_return loaded;

  std::function<Result<void>(std::string_view, std::string_view)> visit =
      [this](std::string_view key, std::string_view value) -> Result<void> {
    std::optional<PreviousKey> previous = DecodePreviousKey(key);
    if (!previous) return BadKey("previous pages");
    TRY_ASSIGN(PageRecord record, DecodePageRecord(value));
    state_->pending.Load(previous->generation, previous->page, record, true);
    return {};
  };
  std::string prefix(1, kPreviousTable);
  co_return co_await ScanTable(prefix, visit);
}

Task<Result<void>> StoreCore::LoadInline() {
  std::function<Result<void>(std::string_view, std::string_view)> visit =
      [this](std::string_view key, std::string_view value) -> Result<void> {
    std::optional<BlockKey> block = DecodeBlockKey(key);
    if (!block) return BadKey("inline blocks");
    TRY_ASSIGN(InlineBlock decoded, DecodeInlineBlock(value));
    state_->inlined.Put({*block, std::move(decoded)});
    return {};
  };
  std::string prefix(1, kInlineTable);
  co_return co_await ScanTable(prefix, visit);
}

Task<Result<void>> StoreCore::LoadUnsettled() {
  std::function<Result<void>(std::string_view, std::string_view)> visit =
      [this](std::string_view key, std::string_view value) -> Result<void> {
    std::optional<GroupChunkKey> unsettled = DecodeUnsettledKey(key);
    if (!unsettled) return BadKey("unsettled chunks");
    TRY(DecodeMark(value));
    state_->unsettled.Add(*unsettled);
    return {};
  };
  std::string prefix(1, kUnsettledTable);
  co_return co_await ScanTable(prefix, visit);
}

Task<Result<void>> StoreCore::SettlePowerLoss() {
  std::set<PageKey> pages;
  for (std::uint64_t generation : state_->pending.Generations()) {
    for (const auto& [key, previous] : state_->pending.PagesOf(generation)) pages.insert(key);
  }
  if (!pages.empty()) {
    LogInfo("store {}: the machine has restarted since; verifying {} pages that were not on stable storage", name_,
            pages.size());
  }
  std::size_t taken_back = 0;
  for (const PageKey& key : pages) {
    Result<std::size_t> settled = co_await SettlePage(key);
    if (!settled) co_return settled.error();
    taken_back += *settled;
  }
  if (taken_back > 0)
    LogInfo("store {}: {} unsynced blocks were lost with the power and are as before", name_, taken_back);
  Result<void> synced = co_await Sync();
  if (!synced) co_return synced;
  co_await EndDurableGenerations();
  co_return CheckOnline();
}

Task<Result<std::size_t>> StoreCore::SettlePage(PageKey key) {
  std::string index_key = EncodeKey(key);
  Result<std::optional<std::string>> value = co_await GetLoaded(index_, index_key);
  if (!value) co_return value.error();
  PageChange change;
  change.key = key;
  if (value->has_value()) {
    Result<PageRecord> record = DecodePageRecord(**value);
    if (!record) co_return record.error();
    change.before = *record;
  }
  change.after = change.before;
  std::vector<const PageRecord*> versions = state_->pending.Versions(key);
  Result<std::bitset<kBlocksPerPage>> damaged = co_await FindDamaged(change.before, *versions.back());
  if (!damaged) co_return damaged.error();
  for (std::size_t i = 0; i < kBlocksPerPage; ++i) {
    // The newest version whose bytes are there; the oldest one was stable before, and needs no look.
    bool is_there = !(*damaged)[i];
    for (std::size_t next_version = 0; !is_there; ++next_version) {
      BlockEntry& block = change.after.blocks[i];
      block = versions[next_version]->blocks[i];
      is_there = block.is_hole() || block == versions.back()->blocks[i];
      if (is_there) break;
      BlockRun run{block.address, 1};
      Result<Slice> bytes = co_await ReadBlocks(run);
      if (!bytes) co_return bytes.error();
      is_there = ChecksumOf(bytes->span()) == block.checksum;
    }
  }
  if (change.after != change.before) {
    IndexChange commit;
    commit.data_is_durable = true;  // it is what the disk has
    commit.pages.push_back(change);
    Reservation nothing;
    Result<void> committed = co_await Commit(std::move(commit), std::move(nothing));
    if (!committed) co_return committed.error();
  }
  co_return damaged->count();
}

Task<Result<std::bitset<kBlocksPerPage>>> StoreCore::FindDamaged(PageRecord page, PageRecord known_good) {
  std::bitset<kBlocksPerPage> damaged;
  std::size_t first = 0;
  while (first < kBlocksPerPage) {
    const BlockEntry& block = page.blocks[first];
    if (block.is_hole() || block == known_good.blocks[first]) {
      ++first;
      continue;
    }
    // A run at a time: a stream's page is one read.
    BlockRun run{block.address, 1};
    while (first + run.count < kBlocksPerPage && page.blocks[first + run.count].address == run.end() &&
           run.end() % blocks_per_slab() != 0) {
      ++run.count;
    }
    Result<Slice> bytes = co_await ReadBlocks(run);
    if (!bytes) co_return bytes.error();
    for (std::size_t i = 0; i < run.count; ++i) {
      Slice part = bytes->Part(i * kBlockBytes, kBlockBytes);
      const BlockEntry& read = page.blocks[first + i];
      damaged[first + i] = read != known_good.blocks[first + i] && ChecksumOf(part.span()) != read.checksum;
    }
    first += run.count;
  }
  co_return damaged;
}

}  // namespace gabion
