// The life of the groups of which this server is the primary: settling, and what the metaserver hears of it.
#include "chunkserver/pg/pg_duties.h"

#include "common/base/log.h"
#include "common/rpc/backoff.h"

namespace gabion {
namespace {

constexpr Duration kRetryFirst = std::chrono::milliseconds(20);
constexpr Duration kRetryLongest = std::chrono::seconds(1);
// A member that is away for good is taken out by its lease before it is reported; one that answers the metaserver and
// not us is not.
constexpr Duration kPatience = std::chrono::seconds(4);
// So long after a change found no space its member is reported as full. Writers go on trying meanwhile.
constexpr Duration kFullReported = std::chrono::seconds(5);

/// Who asks too early or too late has no trouble with the member.
bool IsTrouble(ErrorCode code) {
  return code != ErrorCode::kStaleEpoch && code != ErrorCode::kCancelled;
}

}  // namespace

void PgDuties::Start() {
  tasks_.Spawn(env_.executor, ClearRounds());
}

Task<void> PgDuties::Stop() {
  stopping_ = true;
  clear_sleep_.Cancel();
  co_await tasks_.Join();
}

void PgDuties::MapChanged() {
  MembershipViewPtr view = context_.membership.view();
  ServerId self = context_.membership.self();
  std::erase_if(joins_, [&](const auto& entry) {
    const MembershipView::Group* group = view->FindGroup(entry.first.first);
    return !entry.second.running && (group == nullptr || group->epoch != entry.second.epoch);
  });
  std::erase_if(troubles_, [&](const auto& entry) {
    const MembershipView::Group* group = view->FindGroup(entry.first.first);
    return group == nullptr || group->epoch != entry.second.epoch;
  });
  for (const auto& [pg, group] : view->groups()) {
    if (group.primary == self) Begin(group);
  }
}

void PgDuties::Restart(PgId pg) {
  tasks_.Spawn(env_.executor, RestartHere(pg));
}

Task<void> PgDuties::RestartHere(PgId pg) {
  Result<Membership::Serving> serving = ServingNow(pg);
  if (serving) Begin(*serving->group);
  co_return;
}

void PgDuties::Begin(const MembershipView::Group& group) {
  if (stopping_ || context_.pgs.Serves(group.id, group.epoch) || !running_.insert(group.id).second) return;
  tasks_.Spawn(env_.executor, Run(group.id));
}

/// Errors: kStale: this server is not the group's primary, or leaves it.
Result<Membership::Serving> PgDuties::ServingNow(PgId pg) {
  Membership::Serving serving;
  serving.view = context_.membership.view();
  serving.self = context_.membership.self();
  serving.group = serving.view->FindGroup(pg);
  if (serving.group == nullptr || serving.group->primary != serving.self ||
      context_.pgs.IsReleased(pg, serving.group->epoch)) {
    return Error(ErrorCode::kStale, "not the primary of this placement group");
  }
  return serving;
}

Task<void> PgDuties::Run(PgId pg) {
  Backoff backoff(kRetryFirst, kRetryLongest);
  while (!stopping_) {
    Result<Membership::Serving> serving = ServingNow(pg);
    if (!serving) break;
    if (context_.pgs.Serves(pg, serving->group->epoch)) {
      BeginJoins(*serving);
      break;
    }
    bool settled = co_await SettleOnce(pg, *serving);
    if (!settled) co_await env_.clock.SleepFor(backoff.Next(env_.random));
  }
  running_.erase(pg);
}

Task<bool> PgDuties::SettleOnce(PgId pg, Membership::Serving serving) {
  Epoch epoch = serving.group->epoch;
  // Without a lease another server may be the primary already.
  if (!context_.membership.CheckLease(env_.clock.Now())) co_return false;
  std::uint64_t turn = context_.pgs.BeginSettling(pg);
  std::optional<SettleFailure> failure = co_await Settle(context_, env_, std::move(serving));
  if (failure) {
    NoteTrouble(pg, epoch, failure->server, failure->error);
    context_.pgs.NoteSettlingFailed(pg, epoch, failure->error.code() == ErrorCode::kNoSpace);
    co_return false;
  }
  std::erase_if(troubles_, [pg](const auto& entry) { return entry.first.first == pg; });
  co_return context_.pgs.EndSettling(pg, epoch, turn);
}

void PgDuties::NoteTrouble(PgId pg, Epoch epoch, ServerId server, const Error& error) {
  if (!IsTrouble(error.code())) return;
  const JoinKey key{pg, server};
  Trouble& trouble = troubles_[key];
  TimePoint now = env_.clock.Now();
  std::uint64_t bytes_sent = BytesSentTo(key);
  if (trouble.epoch != epoch || trouble.bytes_sent != bytes_sent) {
    trouble.since = now;
    LogInfo("placement group {}: chunkserver {}: {}", pg.value(), server.value(), error.ToString());
  }
  trouble.epoch = epoch;
  trouble.last = now;
  trouble.bytes_sent = bytes_sent;
  trouble.full = error.code() == ErrorCode::kNoSpace;
  trouble.why = error.ToString();
}

/// Whoever gets on is not failing, whatever went wrong before.
std::uint64_t PgDuties::BytesSentTo(const JoinKey& key) const {
  auto join = joins_.find(key);
  return join == joins_.end() ? 0 : join->second.progress.bytes_sent;
}

void PgDuties::Report(proto::HeartbeatRequest& request) {
  auto fill = [](const JoinKey& key, Epoch epoch, proto::PgMember& member) {
    member.set_pg_id(key.first.value());
    member.set_epoch(epoch.value());
    member.set_server_id(key.second.value());
  };
  for (const auto& [key, join] : joins_) {
    if (join.caught_up) fill(key, join.epoch, *request.add_caught_up());
    proto::PgProgress& progress = *request.add_progress();
    progress.set_pg_id(key.first.value());
    progress.set_server_id(key.second.value());
    progress.set_chunks_left(join.progress.chunks_left);
    progress.set_bytes_left(join.progress.bytes_left);
    progress.set_bytes_sent(join.progress.bytes_sent);
  }
  std::set<JoinKey> full_members;
  for (const PgTable::Full& full : context_.pgs.FullMembers(env_.clock.Now() - kFullReported)) {
    const JoinKey key{full.pg, full.member};
    full_members.insert(key);
    proto::PgMember& member = *request.add_failing();
    fill(key, full.epoch, member);
    member.set_full(true);
    member.set_why("its disk is full");
  }
  for (const auto& [key, trouble] : troubles_) {
    if (full_members.contains(key)) continue;
    // Once is not for good: it counts when it has happened again after a while.
    if (!trouble.full && trouble.last - trouble.since < kPatience) continue;
    if (BytesSentTo(key) != trouble.bytes_sent) continue;
    proto::PgMember& member = *request.add_failing();
    fill(key, trouble.epoch, member);
    member.set_full(trouble.full);
    member.set_why(trouble.why);
  }
  MembershipViewPtr view = context_.membership.view();
  for (const PgTable::Release& release : context_.pgs.Releases()) {
    const MembershipView::Group* group = view->FindGroup(release.pg);
    if (group == nullptr || group->epoch > release.epoch) {
      context_.pgs.ForgetRelease(release.pg);
      continue;
    }
    proto::PgRelease& released = *request.add_released();
    released.set_pg_id(release.pg.value());
    released.set_epoch(release.epoch.value());
  }
}

}  // namespace gabion
