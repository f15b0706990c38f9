#include "metaserver/cluster/membership_policy.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "common/env/mutate.h"
#include "metaserver/cluster/balance_policy.h"
#include "metaserver/cluster/rebuild_policy.h"

namespace gabion {

namespace {

constexpr std::size_t kMaxLeadsAtOnce = 4;

using PrimaryCounts = std::map<ServerId, std::uint32_t>;

const ServerFacts& FactsOf(ServerId id, const ClusterFacts& facts) {
  static const ServerFacts kUnknown;
  auto server = facts.servers.find(id);
  return server == facts.servers.end() ? kUnknown : server->second;
}

const GroupReports& ReportsOf(PgId id, const Reports& reports) {
  static const GroupReports kNone;
  auto found = reports.find(id);
  return found == reports.end() ? kNone : found->second;
}

bool IsServing(const GroupMember& member, const GroupReports& reports, const ClusterFacts& facts) {
  if (Mutated("meta.no_release") && reports.failing.contains(member.id)) return false;
  return member.state == MemberState::kInSync && facts.IsAlive(member.id) && !reports.released.contains(member.id);
}

bool IsInSyncAndAlive(const GroupMember& member, const ClusterFacts& facts) {
  return member.state == MemberState::kInSync && facts.IsAlive(member.id);
}

bool HasOldRelease(const PlacementGroup& group, const ClusterFacts& facts) {
  return std::any_of(group.members.begin(), group.members.end(), [&](const GroupMember& member) {
    return facts.IsAlive(member.id) && FactsOf(member.id, facts).incarnation == 0;
  });
}

/// Whether it goes when the wanted copies are elsewhere.
bool IsLeaving(const GroupMember& member, const ClusterFacts& facts) {
  return member.leaving || FactsOf(member.id, facts).draining;
}

/// Whether it is another process than when the group's epoch began. One that is away had no part in the epoch.
bool WasRestarted(const GroupMember& member, const ClusterFacts& facts) {
  const std::uint64_t incarnation = FactsOf(member.id, facts).incarnation;
  return member.state != MemberState::kAway && incarnation != 0 && incarnation != member.incarnation;
}

void GoAway(GroupMember& member, Epoch epoch, TimePoint now) {
  if (member.state == MemberState::kInSync) member.since = epoch;
  member.state = MemberState::kAway;
  member.away_since = now;
  member.pause = Duration(0);  // whatever it failed at before, a new start may have put right
}

/// As GoAway, of a member whose server is alive: it would be back at once.
void GoAwayForAWhile(GroupMember& member, Epoch epoch, const GroupReports& reports, TimePoint now) {
  const Duration last_pause = now - member.join_after < kPauseForgotten ? member.pause : Duration(0);
  GoAway(member, epoch, now);
  auto failing = reports.failing.find(member.id);
  member.full = failing != reports.failing.end() && failing->second;
  member.pause = std::clamp(2 * last_pause, kFirstPause, kLongestPause);
  member.join_after = now + member.pause;
}

/// The next state of one member of a group in which somebody serves.
void AdvanceMember(GroupMember& member, Epoch epoch, const GroupReports& reports, const ClusterFacts& facts) {
  const bool alive = facts.IsAlive(member.id);
  switch (member.state) {
    case MemberState::kInSync:
      if (IsServing(member, reports, facts)) break;
      if (alive) {
        GoAwayForAWhile(member, epoch, reports, facts.now);
      } else {
        GoAway(member, epoch, facts.now);
      }
      break;
    case MemberState::kJoining:
      if (!alive) {
        GoAway(member, epoch, facts.now);
      } else if (reports.failing.contains(member.id)) {
        // It serves nothing, so that nobody has to wait until it has released the group.
        GoAwayForAWhile(member, epoch, reports, facts.now);
      } else if (reports.caught_up.contains(member.id) && !WasRestarted(member, facts)) {
        member.state = MemberState::kInSync;
        member.since = Epoch();
        member.lost_before = Epoch();
      }
      break;
    case MemberState::kAway:
      if (!alive || facts.now < member.join_after) break;
      member.state = Mutated("meta.elect_any") ? MemberState::kInSync : MemberState::kJoining;
      member.full = false;
      break;
  }
}

/// Once all wanted copies are in sync elsewhere, the others are of no use.
void DropSurplus(PlacementGroup& group, const ClusterFacts& facts) {
  auto stays = [&](const GroupMember& member) {
    return member.state == MemberState::kInSync && !IsLeaving(member, facts);
  };
  if (std::count_if(group.members.begin(), group.members.end(), stays) < group.replicas) return;
  std::erase_if(group.members, [](const GroupMember& member) { return member.state != MemberState::kInSync; });
}

/// Notes what restarts before the epoch that begins now may have cost. A member that lost something gets it back from
/// the primary when the epoch settles. Whether an epoch did settle is not known here: a member that becomes the primary
/// later is taken to lack it still, so that nobody is told of a sync that was none.
void NoteLosses(PlacementGroup& group, const ClusterFacts& facts) {
  for (GroupMember& member : group.members) {
    if (member.state != MemberState::kInSync || !WasRestarted(member, facts)) continue;
    if (FactsOf(member.id, facts).lost_unsynced) member.lost_before = group.epoch.next();
  }
}

/// One that has lost nothing or lost it longest ago, that is not about to go, if possible the present one, else one of
/// a server that leads few.
/// With `balance` a server that leads fewer groups gets this one as well: its share, after it was away.
void ElectPrimary(PlacementGroup& group, bool balance, const ClusterFacts& facts, PrimaryCounts& primaries) {
  using Rank = std::tuple<Epoch, bool, bool, std::uint32_t, ServerId>;
  std::optional<Rank> best;
  for (const GroupMember& member : group.members) {
    if (!IsInSyncAndAlive(member, facts)) continue;
    const bool takes_over = balance && primaries[member.id] + 1 < primaries[group.primary];
    const Rank rank{member.lost_before, FactsOf(member.id, facts).in_maintenance || IsLeaving(member, facts),
                    member.id != group.primary && !takes_over, primaries[member.id], member.id};
    if (!best || rank < *best) best = rank;
  }
  if (!best) return;
  --primaries[group.primary];
  group.primary = std::get<ServerId>(*best);
  ++primaries[group.primary];
  group.lost_before = std::max(group.lost_before, group.Find(group.primary)->lost_before);
}

/// Gives servers that lead few groups more of them, a few at a time: each begins an epoch. The groups it changed.
std::set<PgId> ShareLeads(Groups& drafts, const ClusterFacts& facts, PrimaryCounts& primaries) {
  std::set<PgId> changed;
  for (auto& [id, group] : drafts) {
    if (changed.size() == kMaxLeadsAtOnce) break;
    if (!group.IsWhole() || group.Count(MemberState::kJoining) > 0) continue;
    const ServerId before = group.primary;
    ElectPrimary(group, true, facts, primaries);
    if (group.primary != before) changed.insert(id);
  }
  return changed;
}

/// Whether the primary's server is about to go away, and another member can lead as well: readers do not notice its
/// stop then.
bool HasToBeLedByAnother(const PlacementGroup& group, const ClusterFacts& facts) {
  if (!FactsOf(group.primary, facts).in_maintenance) return false;
  const Epoch lost_before = group.Find(group.primary)->lost_before;
  return std::any_of(group.members.begin(), group.members.end(), [&](const GroupMember& member) {
    return IsInSyncAndAlive(member, facts) && !FactsOf(member.id, facts).in_maintenance &&
           member.lost_before <= lost_before;
  });
}

/// Whether the group needs a new epoch although its members stay what they are.
bool HasToStartAnew(const PlacementGroup& group, const GroupReports& reports, const ClusterFacts& facts) {
  auto restarted = [&](const GroupMember& member) { return WasRestarted(member, facts); };
  auto serving = [&](const GroupMember& member) { return IsServing(member, reports, facts); };
  // All that could serve have released this epoch: in the next one they go on.
  return HasToBeLedByAnother(group, facts) || std::any_of(group.members.begin(), group.members.end(), restarted) ||
         std::none_of(group.members.begin(), group.members.end(), serving);
}

}  // namespace

bool ClusterFacts::IsAlive(ServerId id) const {
  return FactsOf(id, *this).alive;
}

Groups NextGroups(const Groups& groups, const Reports& reports, const ClusterFacts& facts) {
  PrimaryCounts primaries;
  for (const auto& [id, group] : groups) ++primaries[group.primary];
  Groups drafts;  // of the groups that may change
  std::set<PgId> changed;
  for (const auto& [id, group] : groups) {
    auto can_go_on = [&](const GroupMember& member) { return IsInSyncAndAlive(member, facts); };
    if (std::none_of(group.members.begin(), group.members.end(), can_go_on) || HasOldRelease(group, facts)) continue;
    const GroupReports& said = ReportsOf(id, reports);
    auto serving = [&](const GroupMember& member) { return IsServing(member, said, facts); };
    PlacementGroup draft = group;
    if (std::any_of(group.members.begin(), group.members.end(), serving)) {
      for (GroupMember& member : draft.members) AdvanceMember(member, group.epoch, said, facts);
      DropSurplus(draft, facts);
    }
    if (draft != group || HasToStartAnew(group, said, facts)) {
      NoteLosses(draft, facts);
      // When the last joiner is in sync the group changes anyway, and there is nobody whose progress would be lost.
      const bool is_done = draft.Count(MemberState::kJoining) == 0 && group.Count(MemberState::kJoining) > 0;
      ElectPrimary(draft, draft.IsWhole() && (is_done || !group.IsWhole()), facts, primaries);
      changed.insert(id);
    }
    drafts.emplace(id, std::move(draft));
  }
  changed.merge(PlanRebuilds(groups, drafts, facts));
  // While any group cannot change, nothing is moved either.
  if (facts.may_balance && drafts.size() == groups.size()) {
    if (changed.empty()) changed = BeginMoves(drafts, facts);
    if (changed.empty()) changed = ShareLeads(drafts, facts, primaries);
  }
  Groups next;
  for (PgId id : changed) {
    PlacementGroup& draft = drafts.at(id);
    draft.epoch = draft.epoch.next();
    for (GroupMember& member : draft.members) member.incarnation = FactsOf(member.id, facts).incarnation;
    next.emplace(id, std::move(draft));
  }
  return next;
}

std::set<ServerId> MembersToRelease(const PlacementGroup& group, const GroupReports& reports,
                                    const ClusterFacts& facts) {
  std::set<ServerId> leaving;
  if (HasOldRelease(group, facts)) return leaving;
  std::uint32_t serving = 0;
  std::uint32_t staying = 0;  // of those, that are not to leave
  for (const GroupMember& member : group.members) {
    if (!IsInSyncAndAlive(member, facts)) continue;
    if (reports.asked.contains(member.id) || reports.released.contains(member.id)) {
      leaving.insert(member.id);
      continue;
    }
    ++serving;
    if (!IsLeaving(member, facts)) ++staying;
  }
  // From the last on: those that were made members when others were to leave.
  for (auto member = group.members.rbegin(); member != group.members.rend(); ++member) {
    if (!IsInSyncAndAlive(*member, facts) || leaving.contains(member->id)) continue;
    const bool goes = IsLeaving(*member, facts);
    const bool fails = reports.failing.contains(member->id) && serving > MinReplicas(group.replicas);
    const bool is_replaced = goes && staying >= group.replicas;
    const bool is_surplus = !goes && member->id != group.primary && staying > group.replicas;
    if (!fails && !is_replaced && !is_surplus) continue;
    leaving.insert(member->id);
    --serving;
    if (!goes) --staying;
  }
  return leaving;
}

bool IsDispensable(ServerId server, const Groups& groups, const ClusterFacts& facts) {
  return std::all_of(groups.begin(), groups.end(), [&](const auto& entry) {
    const PlacementGroup& group = entry.second;
    const GroupMember* member = group.Find(server);
    if (member == nullptr) return true;
    auto stands_in = [&](const GroupMember& other) { return other.id != server && IsInSyncAndAlive(other, facts); };
    return member->state == MemberState::kAway && std::any_of(group.members.begin(), group.members.end(), stands_in);
  });
}

}  // namespace gabion
