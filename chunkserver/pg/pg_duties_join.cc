// Bringing joiners in sync, a few at a time.
#include <algorithm>

#include "chunkserver/pg/pg_duties.h"
#include "common/base/log.h"

namespace gabion {
namespace {

constexpr unsigned kJoinsAtOnce = 4;
// Between two looks whether there is room, or the group serves again.
constexpr Duration kTurn = std::chrono::milliseconds(100);
constexpr Duration kRetryPause = std::chrono::seconds(1);

/// Null if it is not joining.
const MembershipView::Joiner* FindJoiner(const MembershipView::Group& group, ServerId server) {
  auto found = std::find_if(group.joining.begin(), group.joining.end(),
                            [server](const MembershipView::Joiner& joiner) { return joiner.server == server; });
  return found == group.joining.end() ? nullptr : &*found;
}

}  // namespace

void PgDuties::BeginJoins(const Membership::Serving& serving) {
  const MembershipView::Group& group = *serving.group;
  for (const MembershipView::Joiner& joiner : group.joining) {
    JoinState& join = joins_[{group.id, joiner.server}];
    if (join.running) continue;  // it goes on in the new epoch
    if (join.epoch == group.epoch && join.caught_up) continue;
    join = JoinState();
    join.epoch = group.epoch;
    join.running = true;
    tasks_.Spawn(env_.executor, RunJoin(group.id, joiner.server));
  }
}

Task<void> PgDuties::RunJoin(PgId pg, ServerId server) {
  JoinState& join = joins_[{pg, server}];
  while (!stopping_) {
    Result<Membership::Serving> serving = ServingNow(pg);
    const MembershipView::Joiner* joiner = serving ? FindJoiner(*serving->group, server) : nullptr;
    if (joiner == nullptr) break;
    if (joins_running_ >= kJoinsAtOnce || !context_.pgs.Serves(pg, serving->group->epoch)) {
      co_await env_.clock.SleepFor(kTurn);
      continue;
    }
    join.epoch = serving->group->epoch;
    join.progress.chunks_left = join.progress.bytes_left = 0;  // counted anew by each attempt
    ++joins_running_;
    ServerId at_fault;
    Result<void> joined = co_await Join(context_, env_, *serving, *joiner, join.progress, at_fault);
    --joins_running_;
    if (joined) {
      troubles_.erase({pg, server});
      troubles_.erase({pg, context_.membership.self()});
      Result<Membership::Serving> now = ServingNow(pg);
      if (now && now->group->epoch != join.epoch) continue;  // said of an epoch that is over it would count for nothing
      LogInfo("placement group {}: chunkserver {} has everything, {} bytes were sent", pg.value(), server.value(),
              join.progress.bytes_sent);
      join.caught_up = true;
      break;
    }
    NoteTrouble(pg, join.epoch, at_fault, joined.error());
    co_await env_.clock.SleepFor(kRetryPause);
  }
  join.running = false;
  if (!join.caught_up) joins_.erase({pg, server});
}

}  // namespace gabion
