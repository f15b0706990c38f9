#include "chunkserver/pg/leftovers.h"

#include <algorithm>
#include <set>

#include "chunkserver/pg/background_pace.h"
#include "common/base/log.h"

namespace gabion {
namespace {

constexpr Duration kLeftoverRound = std::chrono::seconds(5);
constexpr std::size_t kLeftoversPerList = 256;

}  // namespace

bool IsLeftover(const MembershipView& view, ServerId self, PgId pg) {
  // A group that is not in the map may be in a newer one.
  const MembershipView::Group* group = view.FindGroup(pg);
  return group != nullptr && !group->HasMember(self) && !group->in_sync.empty() &&
         group->in_sync.size() >= group->replicas;
}

void Leftovers::Start() {
  tasks_.Spawn(env_.executor, Rounds());
}

Task<void> Leftovers::Stop() {
  stopping_ = true;
  sleep_.Cancel();
  co_await tasks_.Join();
}

Task<void> Leftovers::Rounds() {
  while (!stopping_) {
    const TimePoint next = env_.clock.Now() + kLeftoverRound;
    co_await sleep_.Until(env_, next);
    if (!stopping_ && context_.membership.view()->version() != tidy_version_) co_await Round();
  }
}

Task<void> Leftovers::Round() {
  const std::uint64_t version = context_.membership.view()->version();
  Result<std::set<PgId>> leftovers = co_await FindLeftovers();
  if (!leftovers) co_return;  // a disk is away: told elsewhere
  std::erase_if(seen_since_, [&](const auto& entry) { return !leftovers->contains(entry.first); });
  for (PgId pg : *leftovers) {
    if (stopping_) co_return;
    if (!IsDue(pg)) continue;
    Result<void> removed = co_await RemoveGroup(pg);
    if (!removed) {
      LogWarning("placement group {} has left this server, and its space is not given back yet: {}", pg.value(),
                 removed.error().ToString());
    }
  }
  if (leftovers->empty()) tidy_version_ = version;
}

/// What any of the stores has, and may be removed.
Task<Result<std::set<PgId>>> Leftovers::FindLeftovers() {
  std::set<PgId> leftovers;
  for (ExtentStore* store : context_.stores.opened()) {
    if (!store->core().CheckOnline()) continue;
    Result<std::vector<PgId>> groups = co_await store->Groups();
    if (!groups) co_return groups.error();
    MembershipViewPtr view = context_.membership.view();
    for (PgId pg : *groups) {
      if (IsLeftover(*view, context_.membership.self(), pg)) leftovers.insert(pg);
    }
  }
  co_return leftovers;
}

bool Leftovers::IsDue(PgId pg) {
  const TimePoint since = seen_since_.emplace(pg, env_.clock.Now()).first->second;
  return env_.clock.Now() - since >= kKept;
}

Task<Result<void>> Leftovers::RemoveGroup(PgId pg) {
  LogInfo("placement group {} has left this server: its space is given back", pg.value());
  for (ExtentStore* store : context_.stores.opened()) {
    if (!store->core().CheckOnline()) continue;
    Result<void> removed = co_await RemoveFrom(*store, pg);
    CO_TRY(removed);
  }
  co_return Result<void>();
}

Task<Result<void>> Leftovers::RemoveFrom(ExtentStore& store, PgId pg) {
  ListQuery query;
  query.pg = pg;
  query.by_epoch = true;  // after none: all
  query.max_entries = kLeftoversPerList;
  for (bool end = false; !end;) {
    Result<ChunkPage> page = co_await store.List(query);
    if (!page) co_return page.error();
    end = page->end;
    for (const ChunkSummary& chunk : page->chunks) {
      if (stopping_) co_return Result<void>();
      query.after = chunk.chunk;
      const BackgroundPace pace(context_.admission, env_.clock);
      Result<void> removed = co_await RemoveChunk(store, pg, chunk.chunk);
      CO_TRY(removed);
      const Duration rest = pace.Rest();
      if (rest > Duration(0)) co_await sleep_.Until(env_, env_.clock.Now() + rest);
    }
  }
  co_return Result<void>();
}

Task<Result<void>> Leftovers::RemoveChunk(ExtentStore& store, PgId pg, ChunkId chunk) {
  RangeLocks::Guard guard = co_await context_.order.Lock(chunk, PageRange::WholeChunk());
  // With the chunk locked: the primary of a group that this server is made a member of again looks at it after this, or
  // it stays.
  MembershipViewPtr view = context_.membership.view();
  if (!IsLeftover(*view, context_.membership.self(), pg)) co_return Result<void>();
  AdoptChunk gone;
  gone.chunk = chunk;
  gone.pg = pg;
  gone.may_return = true;
  co_return co_await store.Adopt(gone);
}

}  // namespace gabion
