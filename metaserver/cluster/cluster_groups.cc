// What chunkservers say of placement groups, and what becomes of the groups.
#include <fmt/format.h>

#include <algorithm>

#include "metaserver/cluster/cluster.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

namespace {

constexpr std::size_t kMaxReasonBytes = 200;

/// What becomes of one server's memberships, counted in groups.
struct Shift {
  std::uint32_t away = 0;
  std::uint32_t joining = 0;
  std::uint32_t in_sync = 0;
  std::uint32_t added = 0;
  std::uint32_t dropped = 0;
};
using Shifts = std::map<ServerId, Shift>;

std::string Plural(std::uint32_t count) {
  return fmt::format("{} placement group{}", count, count == 1 ? "" : "s");
}

void CountShifts(const PlacementGroup& was, const PlacementGroup& is, Shifts& shifts) {
  for (const GroupMember& member : is.members) {
    const GroupMember* before = was.Find(member.id);
    if (before == nullptr) ++shifts[member.id].added;
    if (before == nullptr || before->state == member.state) continue;
    Shift& shift = shifts[member.id];
    if (member.state == MemberState::kInSync) ++shift.in_sync;
    if (member.state == MemberState::kJoining) ++shift.joining;
    if (member.state == MemberState::kAway) ++shift.away;
  }
  for (const GroupMember& member : was.members) {
    if (is.Find(member.id) == nullptr) ++shifts[member.id].dropped;
  }
}

}  // namespace

ClusterFacts Cluster::FactsAt(TimePoint now) const {
  ClusterFacts facts;
  facts.now = now;
  facts.down_out = options_.down_out;
  for (const auto& [id, server] : servers_) {
    ServerFacts& known = facts.servers[id];
    known.alive = server.alive;
    known.incarnation = server.record.incarnation();
    known.lost_unsynced = server.record.lost_unsynced();
    known.draining = server.record.draining();
    known.in_maintenance = server.record.maintenance_until_ns() != 0;
    known.missed_since = server.missed_since;
    known.full = !server.heard || GroupWeight({server.space()}) == 0;
    known.domains = DomainsOf(server.record);
    known.capacity_bytes = server.capacity_bytes;
    known.used_bytes = server.used_bytes;
    known.tidy = server.tidy;
  }
  return facts;
}

bool Cluster::AdvanceGroups(Env& env, WriteBatch& batch) {
  ClusterFacts facts = FactsAt(env.clock.Now());
  PrepareBalance(facts);
  const Groups next = NextGroups(groups_, reports_, facts);
  if (next.empty()) return NoteBalanced(facts, env, batch);
  const std::uint32_t degraded_before = CountDegraded();
  NoteMoves(next, facts, env, batch);
  NoteGroupChanges(next, env, batch);
  for (const auto& [id, group] : next) {
    batch.Put(PgKey(id), EncodeRecord(ToRecord(group)));
    groups_[id] = group;
    reports_.erase(id);  // it was of the epoch that has ended
  }
  const std::uint32_t degraded = CountDegraded();
  if (degraded_before == 0 && degraded > 0) {
    Note(EventAbout(ServerId(), "recovery-started",
                    Plural(degraded) + " lack a copy in sync: they are brought in sync again", true),
         env, batch);
  } else if (degraded_before > 0 && degraded == 0) {
    Note(EventAbout(ServerId(), "recovery-finished", "all placement groups have all their copies in sync"), env, batch);
  }
  return true;
}

std::uint32_t Cluster::CountGroupsOf(ServerId server) const {
  return static_cast<std::uint32_t>(std::count_if(
      groups_.begin(), groups_.end(), [&](const auto& entry) { return entry.second.Find(server) != nullptr; }));
}

std::uint32_t Cluster::CountDegraded() const {
  return static_cast<std::uint32_t>(
      std::count_if(groups_.begin(), groups_.end(), [](const auto& entry) { return !entry.second.IsWhole(); }));
}

void Cluster::NoteGroupChanges(const Groups& next, Env& env, WriteBatch& batch) {
  Shifts shifts;
  for (const auto& [id, group] : next) CountShifts(groups_.at(id), group, shifts);
  for (const auto& [id, shift] : shifts) {
    std::string text;
    auto add = [&](std::uint32_t count, const char* what) {
      if (count > 0) text += fmt::format("{} {} {}", text.empty() ? "" : ",", what, Plural(count));
    };
    add(shift.away, "is out of sync in");
    add(shift.dropped, "is no longer a member of");
    add(shift.added, "is made a copy of");
    add(shift.joining, "is being brought in sync in");
    add(shift.in_sync, "is in sync in");
    Note(EventAbout(id, "groups-changed", fmt::format("chunkserver {}{}", id.value(), text)), env, batch);
    // Counted before these changes: those are all it has.
    if (shift.dropped > 0 && shift.dropped == CountGroupsOf(id) && servers_.at(id).record.draining()) {
      Note(EventAbout(id, "server-drained",
                      fmt::format("chunkserver {} is drained: it is a member of no placement group", id.value())),
           env, batch);
    }
  }
}

const PlacementGroup* Cluster::FindGroup(std::uint32_t pg_id, std::uint32_t epoch) const {
  auto found = groups_.find(PgId(pg_id));
  return found != groups_.end() && found->second.epoch == Epoch(epoch) ? &found->second : nullptr;
}

bool Cluster::TakeGroupReports(ServerId from, const proto::HeartbeatRequest& request, Env& env, WriteBatch& batch) {
  bool has_news = false;
  for (const proto::PgMember& said : request.caught_up()) {
    const PlacementGroup* group = FindGroup(said.pg_id(), said.epoch());
    const GroupMember* member = group == nullptr ? nullptr : group->Find(ServerId(said.server_id()));
    if (member == nullptr || group->primary != from || member->state != MemberState::kJoining) continue;
    reports_[PgId(said.pg_id())].caught_up.insert(member->id);
    has_news = true;
  }
  for (const proto::PgRelease& said : request.released()) {
    const PlacementGroup* group = FindGroup(said.pg_id(), said.epoch());
    if (group == nullptr || group->Find(from) == nullptr) continue;
    reports_[PgId(said.pg_id())].released.insert(from);
    has_news = true;
  }
  TakeFailing(from, request, env, batch);
  TakeProgress(from, request);
  return has_news;
}

void Cluster::TakeFailing(ServerId from, const proto::HeartbeatRequest& request, Env& env, WriteBatch& batch) {
  std::map<PgId, std::map<ServerId, bool>> failing;
  std::map<ServerId, std::pair<std::uint32_t, std::string>> news;
  for (const proto::PgMember& said : request.failing()) {
    const PgId id(said.pg_id());
    const ServerId about(said.server_id());
    const PlacementGroup* group = FindGroup(said.pg_id(), said.epoch());
    if (group == nullptr || group->primary != from || group->Find(about) == nullptr) continue;
    failing[id][about] = said.full();
    if (auto known = reports_.find(id); known != reports_.end() && known->second.failing.contains(about)) continue;
    auto& [count, why] = news[about];
    if (count++ == 0) why = said.why().substr(0, kMaxReasonBytes);
  }
  // What is not said again is over.
  for (auto& [id, reports] : reports_) {
    if (groups_.at(id).primary == from) reports.failing.clear();
  }
  for (auto& [id, members] : failing) reports_[id].failing = std::move(members);
  std::erase_if(reports_, [](const auto& entry) { return entry.second.empty(); });
  for (const auto& [about, what] : news) {
    Note(EventAbout(about, "server-failing",
                    fmt::format("chunkserver {} does not do what chunkserver {} asks of it in {}: {}", about.value(),
                                from.value(), Plural(what.first), what.second),
                    true),
         env, batch);
  }
}

void Cluster::TakeProgress(ServerId from, const proto::HeartbeatRequest& request) {
  std::erase_if(progress_, [&](const auto& entry) { return groups_.at(entry.first).primary == from; });
  for (const proto::PgProgress& said : request.progress()) {
    auto group = groups_.find(PgId(said.pg_id()));
    if (group == groups_.end() || group->second.primary != from) continue;
    const GroupMember* joiner = group->second.Find(ServerId(said.server_id()));
    if (joiner == nullptr || joiner->state != MemberState::kJoining) continue;
    progress_[group->first][joiner->id] = said;
    // One that has nothing is sent all there is.
    const std::uint64_t bytes = said.bytes_left() + said.bytes_sent();
    if (!joiner->since && bytes > 0) group_bytes_[group->first] = bytes;
  }
}

void Cluster::AskForReleases(ServerId server, TimePoint now, proto::HeartbeatReply& reply) {
  std::optional<ClusterFacts> facts;
  for (const auto& [id, group] : groups_) {
    const GroupMember* member = group.Find(server);
    if (member == nullptr || member->state != MemberState::kInSync) continue;
    // Nearly always there is nothing to ask, and no need for facts to find that out.
    auto said = reports_.find(id);
    if (said == reports_.end() && group.Count(MemberState::kInSync) <= group.replicas) continue;
    if (!facts) facts = FactsAt(now);
    const std::set<ServerId> leaving =
        MembersToRelease(group, said == reports_.end() ? GroupReports() : said->second, *facts);
    if (!leaving.contains(server)) continue;
    reports_[id].asked.insert(server);
    proto::PgRelease* release = reply.add_release();
    release->set_pg_id(id.value());
    release->set_epoch(group.epoch.value());
  }
}

}  // namespace gabion
