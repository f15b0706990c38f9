#include "chunkserver/pg/strays.h"

#include <algorithm>

#include "common/base/log.h"

namespace gabion {
namespace {

// Nobody waits for the space; who has just left a group may be back in it.
constexpr Duration kStraysInterval = std::chrono::seconds(30);
// Beside clients: for each second of work so many of rest.
constexpr int kStraysRestFactor = 3;
constexpr std::size_t kStraysPerList = 256;

}  // namespace

void Strays::Start() {
  tasks_.Spawn(env_.executor, Rounds());
}

Task<void> Strays::Stop() {
  stopping_ = true;
  sleep_.Cancel();
  co_await tasks_.Join();
}

Task<void> Strays::Rounds() {
  while (!stopping_) {
    const TimePoint next = env_.clock.Now() + kStraysInterval;
    co_await sleep_.Until(env_, next);
    MembershipViewPtr view = context_.membership.view();
    for (const auto& [pg, group] : view->groups()) {
      if (!stopping_ && IsStray(pg)) co_await Clear(pg);
    }
  }
}

bool Strays::IsStray(PgId pg) const {
  MembershipViewPtr view = context_.membership.view();
  const MembershipView::Group* group = view->FindGroup(pg);
  if (group == nullptr || group->in_sync.size() < group->replicas) return false;
  return std::find(group->members.begin(), group->members.end(), context_.membership.self()) == group->members.end();
}

Task<void> Strays::Clear(PgId pg) {
  ListQuery query;
  query.pg = pg;
  query.by_epoch = true;  // after none: all
  query.max_entries = kStraysPerList;
  std::uint64_t removed = 0;
  for (bool end = false; !end && !stopping_;) {
    Result<ChunkPage> page = co_await context_.stores.List(query);
    if (!page) break;  // a disk is away: told elsewhere
    const TimePoint began = env_.clock.Now();
    for (const ChunkSummary& chunk : page->chunks) {
      query.after = chunk.chunk;
      if (stopping_) break;
      const bool gone = co_await RemoveOne(pg, chunk.chunk);
      if (gone) ++removed;
    }
    end = page->end;
    const TimePoint next = env_.clock.Now() + (env_.clock.Now() - began) * kStraysRestFactor;
    if (!end && !stopping_) co_await sleep_.Until(env_, next);
  }
  if (removed > 0) {
    LogInfo("placement group {}: {} chunks removed, as this server is no member of it any more", pg.value(), removed);
  }
}

Task<bool> Strays::RemoveOne(PgId pg, ChunkId chunk) {
  RangeLocks::Guard guard = co_await context_.order.Lock(chunk, PageRange::WholeChunk());
  if (!IsStray(pg)) co_return false;
  AdoptChunk nothing;
  nothing.chunk = chunk;
  nothing.pg = pg;
  nothing.may_return = true;  // with the server, if it becomes a member again
  Result<void> removed = co_await context_.stores.Adopt(env_, nothing);
  co_return removed.has_value();
}

}  // namespace gabion
