#include "metaserver/cluster/rebuild_policy.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace gabion {

namespace {

struct RebuildLoad {
  std::uint32_t groups = 0;
  std::uint32_t rebuilds_to = 0;
  std::uint32_t rebuilds_from = 0;
};
using RebuildLoads = std::map<ServerId, RebuildLoad>;

void Count(const PlacementGroup& group, RebuildLoads& loads) {
  for (const GroupMember& member : group.members) {
    RebuildLoad& load = loads[member.id];
    ++load.groups;
    if (member.state == MemberState::kJoining && !member.since) ++load.rebuilds_to;
  }
  loads[group.primary].rebuilds_from += group.CountRebuilds();
}

/// Whether another server is to take its place.
bool IsCondemned(const GroupMember& member, const ClusterFacts& facts) {
  auto server = facts.servers.find(member.id);
  if (server == facts.servers.end() || server->second.draining || member.leaving) return true;
  if (member.state == MemberState::kInSync) return false;
  if (member.full) return true;
  if (member.state != MemberState::kAway || server->second.in_maintenance) return false;
  const TimePoint missed_since = std::max(member.away_since, server->second.missed_since);
  return facts.now - missed_since >= facts.down_out || member.pause >= kLongestPause;
}

/// The server that becomes a member; none if no server can.
ServerId ChooseTarget(const PlacementGroup& group, const RebuildLoads& loads, const ClusterFacts& facts) {
  std::vector<FailureDomains> kept;
  for (const GroupMember& member : group.members) {
    if (!IsCondemned(member, facts)) kept.push_back(facts.servers.at(member.id).domains);
  }
  // Least of: failure domains that other members are in, groups, space in use.
  using Rank = std::tuple<Crowding, std::uint32_t, std::uint64_t, ServerId>;
  std::optional<Rank> best;
  for (const auto& [id, server] : facts.servers) {
    if (!server.alive || server.incarnation == 0 || server.full || group.Find(id) != nullptr) continue;
    if (server.draining || server.in_maintenance) continue;
    const auto found = loads.find(id);
    const RebuildLoad load = found == loads.end() ? RebuildLoad() : found->second;
    if (load.rebuilds_to >= kMaxRebuildsPerServer) continue;
    const Rank rank{CrowdingOf(server.domains, kept), load.groups, UINT64_MAX - server.free_bytes(), id};
    if (!best || rank < *best) best = rank;
  }
  return best ? std::get<ServerId>(*best) : ServerId();
}

/// Whether the group lacks a member that can be waited for, and has a place for another.
bool IsNeedy(const PlacementGroup& group, const ClusterFacts& facts) {
  std::uint32_t kept = 0;
  std::uint32_t in_sync = 0;
  for (const GroupMember& member : group.members) {
    if (!IsCondemned(member, facts)) ++kept;
    if (member.state == MemberState::kInSync) ++in_sync;
  }
  // Of drained servers there may be members beside those that follow them, but not without end.
  return kept < group.replicas && in_sync < 2 * group.replicas;
}

void Replace(PlacementGroup& group, ServerId target, const ClusterFacts& facts) {
  auto leaves = [&](const GroupMember& member) {
    return member.state != MemberState::kInSync && IsCondemned(member, facts);
  };
  if (auto gone = std::find_if(group.members.begin(), group.members.end(), leaves); gone != group.members.end())
    group.members.erase(gone);
  group.AddJoiner(target);
}

/// The most endangered first.
std::vector<std::pair<std::uint32_t, PgId>> FindNeedy(const Groups& drafts, const ClusterFacts& facts) {
  std::vector<std::pair<std::uint32_t, PgId>> needy;
  for (const auto& [id, group] : drafts) {
    if (IsNeedy(group, facts)) needy.emplace_back(group.Count(MemberState::kInSync), id);
  }
  std::sort(needy.begin(), needy.end());
  return needy;
}

/// Who was to leave stays; who was to take its place is dropped when the group is whole.
std::set<PgId> CallMovesOff(Groups& drafts) {
  std::set<PgId> stayed;
  for (auto& [id, group] : drafts) {
    for (GroupMember& member : group.members) {
      if (std::exchange(member.leaving, false)) stayed.insert(id);
    }
  }
  return stayed;
}

}  // namespace

std::set<PgId> PlanRebuilds(const Groups& groups, Groups& drafts, const ClusterFacts& facts) {
  if (FindNeedy(drafts, facts).empty()) return {};
  // What is missing comes before what is not where it should be.
  std::set<PgId> changed = CallMovesOff(drafts);
  const std::vector<std::pair<std::uint32_t, PgId>> needy = FindNeedy(drafts, facts);
  RebuildLoads loads;
  for (const auto& [id, group] : groups) Count(drafts.contains(id) ? drafts.at(id) : group, loads);
  for (const auto& [in_sync, id] : needy) {
    PlacementGroup& group = drafts.at(id);
    if (loads[group.primary].rebuilds_from >= kMaxRebuildsPerServer) continue;
    const ServerId target = ChooseTarget(group, loads, facts);
    if (!target) continue;
    Replace(group, target, facts);
    ++loads[target].groups;
    ++loads[target].rebuilds_to;
    ++loads[group.primary].rebuilds_from;
    changed.insert(id);
  }
  return changed;
}

}  // namespace gabion
