// Small writes that were committed with their bytes in the index go to their place in the slabs.
#include <algorithm>

#include "chunkserver/store/store_core.h"

namespace gabion {
namespace {

constexpr std::size_t kMovedAtOnce = 1024;  // blocks written, and synced, together
constexpr std::size_t kPagesCommittedAtOnce = 64;

std::uint16_t PageOf(const BlockKey& key) {
  return static_cast<std::uint16_t>(key.block / kBlocksPerPage);
}

}  // namespace

struct StoreCore::MovedGroup {
  std::vector<InlineWrite> writes;
  std::vector<BlockEntry> places;  // one a write; a hole for zeros
  Reservation reservation;         // of all places
};

Task<Result<void>> StoreCore::MoveInline() {
  AsyncMutex::Guard moving = co_await move_mutex_.Lock();
  BlockKey from;
  while (!stopping_) {
    std::vector<InlineWrite> batch;
    {
      std::lock_guard lock(mutex_);
      batch = state_->inlined.Next(from, kMovedAtOnce);
    }
    if (batch.empty()) break;
    from = batch.back().key;
    ++from.block;
    Result<void> moved = co_await MoveInlineBatch(std::move(batch));
    if (!moved) co_return moved;
  }
  co_return Result<void>();
}

Task<Result<void>> StoreCore::MoveInlineBatch(std::vector<InlineWrite> batch) {
  std::size_t with_bytes = 0;
  for (const InlineWrite& write : batch) with_bytes += write.block.is_zero() ? 0 : 1;
  Result<Reservation> reserved = co_await Reserve(static_cast<std::uint32_t>(with_bytes), Purpose::kOrdinary);
  if (!reserved) co_return reserved.error();
  Reservation reservation = std::move(*reserved);
  std::vector<BlockEntry> places(batch.size());
  std::size_t next = 0;
  for (const BlockRun& run : reservation.runs()) {
    Payload part;
    for (std::uint32_t i = 0; i < run.count; ++next) {
      if (batch[next].block.is_zero()) continue;
      places[next] = {run.first + i++, batch[next].block.checksum};
      part.Append(batch[next].block.data);
    }
    Result<void> written = co_await WriteBlocks(run, std::move(part));
    if (!written) co_return written;
  }
  // The bytes must be stable before the inline blocks go; the inline blocks must be, before what they cover goes.
  {
    std::lock_guard lock(mutex_);
    std::uint64_t blocks_per_slab = state_->superblock.slab_bytes / kBlockBytes;
    for (const BlockRun& run : reservation.runs()) {
      state_->dirty_slabs.insert(static_cast<std::uint32_t>(run.first / blocks_per_slab));
    }
  }
  Result<void> synced = co_await Sync();
  if (!synced) co_return synced;

  for (MovedGroup& group : GroupByPages(std::move(batch), std::move(places), std::move(reservation))) {
    Result<void> committed = co_await CommitMoved(std::move(group));
    if (!committed) co_return committed;
  }
  co_return Result<void>();
}

std::vector<StoreCore::MovedGroup> StoreCore::GroupByPages(std::vector<InlineWrite> writes,
                                                           std::vector<BlockEntry> places, Reservation whole) {
  std::vector<MovedGroup> groups;
  std::vector<std::vector<BlockRun>> runs;
  std::size_t pages = kPagesCommittedAtOnce;
  PageKey last_page;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    PageKey page{writes[i].key.chunk, PageOf(writes[i].key)};
    if ((i == 0 || page != last_page) && pages++ == kPagesCommittedAtOnce) {
      groups.emplace_back();
      runs.emplace_back();
      pages = 1;
    }
    last_page = page;
    if (!places[i].is_hole()) AppendBlock(runs.back(), places[i].address);
    groups.back().writes.push_back(std::move(writes[i]));
    groups.back().places.push_back(places[i]);
  }
  whole.Committed();  // each group answers for its own part
  for (std::size_t i = 0; i < groups.size(); ++i) groups[i].reservation = Reservation(this, std::move(runs[i]));
  return groups;
}

Task<Result<void>> StoreCore::CommitMoved(MovedGroup group) {
  std::vector<RangeLocks::Guard> guards;
  for (auto first = group.writes.begin(); first != group.writes.end();) {
    auto last = first;
    while (last + 1 != group.writes.end() && (last + 1)->key.chunk == first->key.chunk) ++last;
    PageRange range{PageOf(first->key), PageOf(last->key)};
    RangeLocks::Guard guard = co_await locks_.Lock(first->key.chunk, range);
    guards.push_back(std::move(guard));
    first = last + 1;
  }
  IndexChange change;
  change.data_is_durable = true;
  for (const InlineWrite& write : group.writes) {
    PageKey page{write.key.chunk, PageOf(write.key)};
    if (!change.pages.empty() && change.pages.back().key == page) continue;
    PageRange range{page.page, page.page};
    Result<std::vector<PageRecord>> records = co_await FindPages(page.chunk, range, kChunkBytes);
    if (!records) co_return records.error();
    change.pages.push_back({page, records->front(), records->front()});
  }
  // What was written again (or trimmed) meanwhile stays as it is, and its place is not needed.
  std::vector<BlockRun> used;
  std::vector<BlockRun> unused;
  {
    std::lock_guard lock(mutex_);
    std::size_t page = 0;
    for (std::size_t i = 0; i < group.writes.size(); ++i) {
      const BlockKey& key = group.writes[i].key;
      while (change.pages[page].key != PageKey{key.chunk, PageOf(key)}) ++page;
      const InlineBlock* now = state_->inlined.Find(key);
      bool same = now != nullptr && now->number == group.writes[i].block.number;
      if (!group.places[i].is_hole()) AppendBlock(same ? used : unused, group.places[i].address);
      if (!same) continue;
      change.pages[page].after.blocks[key.block % kBlocksPerPage] = group.places[i];
      change.inline_removals.push_back(key);
    }
  }
  group.reservation.Committed();
  Reservation not_needed(this, std::move(unused));
  Reservation needed(this, std::move(used));
  co_return co_await Commit(std::move(change), std::move(needed));
}

}  // namespace gabion
