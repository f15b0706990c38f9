// Taking chunks off the unsettled sets, once nothing changes them any more (docs/replication.md).
#include <algorithm>

#include "chunkserver/pg/pg_duties.h"
#include "common/base/log.h"
#include "common/env/mutate.h"

namespace gabion {
namespace {

// What is written again and again stays unsettled; the rest is looked at so often.
constexpr Duration kRoundInterval = std::chrono::seconds(5);
// Of a group, in one round.
constexpr std::size_t kChunksPerRoundMax = 65536;
// Whose locks are held at once.
constexpr std::size_t kChunksPerBatch = 256;

}  // namespace

Task<void> PgDuties::ClearRounds() {
  while (!stopping_) {
    const Duration interval = env_.Buggified("chunk.clear_early") ? kRoundInterval / 100 : kRoundInterval;
    co_await clear_sleep_.Until(env_, env_.clock.Now() + interval);
    if (!stopping_) co_await ClearRound();
  }
}

Task<void> PgDuties::ClearRound() {
  std::map<PgId, std::vector<ChunkId>> quiet;
  MembershipViewPtr view = context_.membership.view();
  for (const auto& [pg, group] : view->groups()) {
    if (!context_.pgs.Serves(pg, group.epoch)) continue;
    std::vector<ChunkId> chunks = QuietChunks(pg);
    if (!chunks.empty()) quiet.emplace(pg, std::move(chunks));
  }
  if (quiet.empty()) co_return;
  std::set<ServerId> synced = co_await SyncMembers(quiet);
  for (auto& [pg, chunks] : quiet) {
    if (!stopping_) co_await ClearGroup(pg, std::move(chunks), synced);
  }
}

/// Unsettled here, and not changed since the last round.
std::vector<ChunkId> PgDuties::QuietChunks(PgId pg) {
  std::vector<ChunkId> chunks = context_.stores.FindUnsettled(pg, kChunksPerRoundMax);
  std::vector<ChunkId> touched = context_.pgs.TakeTouched(pg);
  std::sort(chunks.begin(), chunks.end());
  std::vector<ChunkId> quiet;
  std::set_difference(chunks.begin(), chunks.end(), touched.begin(), touched.end(), std::back_inserter(quiet));
  std::erase_if(quiet, [&](ChunkId chunk) { return context_.pgs.IsChanging(pg, chunk); });
  return quiet;
}

/// Those whose disks have all that was written before the call, this server among them.
Task<std::set<ServerId>> PgDuties::SyncMembers(const std::map<PgId, std::vector<ChunkId>>& quiet) {
  std::set<ServerId> synced;
  std::set<ServerId> tried;
  for (const auto& [pg, chunks] : quiet) {
    Result<Membership::Serving> serving = ServingNow(pg);
    if (!serving) continue;
    const MembershipView::Group& group = *serving->group;
    for (ServerId member : group.in_sync) {
      if (!tried.insert(member).second) continue;
      Result<void> done;
      if (Mutated("chunk.clear_unsynced")) {
        done = Result<void>();
      } else if (member == serving->self) {
        done = co_await context_.stores.Sync();
      } else {
        MemberCalls calls(context_, env_, pg, group.epoch, member);
        done = co_await calls.Sync();
      }
      if (done) synced.insert(member);
    }
  }
  co_return synced;
}

Task<void> PgDuties::ClearGroup(PgId pg, std::vector<ChunkId> quiet, const std::set<ServerId>& synced) {
  for (std::size_t first = 0; first < quiet.size(); first += kChunksPerBatch) {
    Result<Membership::Serving> serving = ServingNow(pg);
    if (!serving || !context_.pgs.Serves(pg, serving->group->epoch)) co_return;
    const std::vector<ServerId>& in_sync = serving->group->in_sync;
    bool all_synced = std::all_of(in_sync.begin(), in_sync.end(), [&](ServerId id) { return synced.contains(id); });
    // A joiner that is required may be in sync in a moment, and was not asked.
    if (!all_synced || !context_.joiners.RequiredIn(pg, serving->group->epoch).empty()) co_return;
    auto begin = quiet.begin() + static_cast<std::ptrdiff_t>(first);
    auto end = quiet.begin() + static_cast<std::ptrdiff_t>(std::min(first + kChunksPerBatch, quiet.size()));
    Result<void> cleared = co_await ClearBatch(*serving, std::vector<ChunkId>(begin, end));
    if (!cleared) co_return;  // the next round tries again
  }
}

/// With the chunks locked, so that no change begins before all members have heard.
Task<Result<void>> PgDuties::ClearBatch(Membership::Serving serving, std::vector<ChunkId> chunks) {
  const MembershipView::Group& group = *serving.group;
  std::vector<RangeLocks::Guard> guards;
  guards.reserve(chunks.size());
  for (ChunkId chunk : chunks) {
    RangeLocks::Guard guard = co_await context_.order.Lock(chunk, PageRange::WholeChunk());
    guards.push_back(std::move(guard));
  }
  std::erase_if(chunks, [&](ChunkId chunk) { return context_.pgs.WasTouched(group.id, chunk); });
  if (chunks.empty() || !context_.pgs.Serves(group.id, group.epoch)) co_return Result<void>();
  for (ServerId member : group.in_sync) {
    if (member == serving.self) continue;
    MemberCalls calls(context_, env_, group.id, group.epoch, member);
    Result<void> cleared = co_await calls.ClearUnsettled(chunks);
    if (!cleared) co_return cleared;
  }
  co_return co_await context_.stores.ClearUnsettled(group.id, chunks);
}

}  // namespace gabion
