#include "metaserver/cluster/balance_policy.h"

#include <algorithm>
#include <tuple>

namespace gabion {

namespace {

/// A server that takes part.
struct Seat {
  ServerId id;
  const ServerFacts* facts = nullptr;
  double share = 0;
  std::uint32_t groups = 0;
  bool busy = false;  // it gives or takes, or its use is not what its groups take
};

bool TakesPart(const ServerFacts& server) {
  return server.alive && server.incarnation != 0 && !server.draining && !server.in_maintenance &&
         server.capacity_bytes > 0;
}

double ShareOf(const ServerFacts& server) {
  return static_cast<double>(server.used_bytes) / static_cast<double>(server.capacity_bytes);
}

/// What could be given so that both are used alike then.
double LevellingBytes(const Seat& giver, const Seat& taker) {
  const auto giver_bytes = static_cast<double>(giver.facts->capacity_bytes);
  const auto taker_bytes = static_cast<double>(taker.facts->capacity_bytes);
  return (giver.share - taker.share) / (1 / giver_bytes + 1 / taker_bytes);
}

/// Whether it has all the members it wants, or will have them when its move is done.
bool IsAtRest(const PlacementGroup& group, const ClusterFacts& facts) {
  auto is_missing = [&](const GroupMember& member) {
    auto server = facts.servers.find(member.id);
    return member.state == MemberState::kAway || server == facts.servers.end() || !server->second.alive ||
           server->second.incarnation == 0 || server->second.draining;
  };
  if (std::any_of(group.members.begin(), group.members.end(), is_missing)) return false;
  const auto leaving = static_cast<std::uint32_t>(std::count_if(
      group.members.begin(), group.members.end(), [](const GroupMember& member) { return member.leaving; }));
  return group.Count(MemberState::kJoining) <= leaving && group.members.size() == group.replicas + leaving;
}

class Balance {
 public:
  Balance(const Groups& groups, const ClusterFacts& facts) : groups_(groups), facts_(facts), mean_(MeanUse(facts)) {
    for (const auto& [id, server] : facts.servers) {
      if (TakesPart(server)) seats_.emplace(id, Seat{id, &server, ShareOf(server), 0, !server.tidy});
    }
    for (const auto& [id, group] : groups) {
      Count(group);
      if (const std::optional<GroupMove> move = MoveOf(id, group)) Note(*move);
    }
  }

  std::vector<GroupMove> Plan() {
    MoveApart();
    Level();
    return std::move(moves_);
  }

 private:
  Seat* Find(ServerId id) {
    auto seat = seats_.find(id);
    return seat == seats_.end() ? nullptr : &seat->second;
  }

  void Count(const PlacementGroup& group) {
    for (const GroupMember& member : group.members) {
      if (Seat* seat = Find(member.id)) ++seat->groups;
    }
  }

  void Note(const GroupMove& move) {
    ++under_way_;
    for (ServerId id : {move.from, move.to}) {
      if (Seat* seat = Find(id)) seat->busy = true;
    }
  }

  void Begin(const GroupMove& move) {
    moves_.push_back(move);
    Note(move);
  }

  bool HasRoom() const { return under_way_ < kMaxMoves; }

  bool CanTake(const Seat& seat, const PlacementGroup& group) const {
    return !seat.busy && !seat.facts->full && group.Find(seat.id) == nullptr;
  }

  bool CanMove(PgId id, const PlacementGroup& group) const {
    auto is_begun = [&](const GroupMove& move) { return move.pg == id; };
    return !MoveOf(id, group) && std::none_of(moves_.begin(), moves_.end(), is_begun);
  }

  /// Known where the group was copied lately; else an average group of the member whose groups are smallest.
  double BytesOf(PgId id, const PlacementGroup& group) {
    if (auto known = facts_.group_bytes.find(id); known != facts_.group_bytes.end())
      return static_cast<double>(known->second);
    std::optional<double> least;
    for (const GroupMember& member : group.members) {
      const Seat* seat = Find(member.id);
      if (seat == nullptr || seat->groups == 0) continue;
      const double average = static_cast<double>(seat->facts->used_bytes) / seat->groups;
      if (!least || average < *least) least = average;
    }
    return least.value_or(0);
  }

  std::vector<FailureDomains> DomainsOfOthers(const PlacementGroup& group, ServerId than) const {
    std::vector<FailureDomains> others;
    for (const GroupMember& member : group.members) {
      if (member.id != than) others.push_back(facts_.servers.at(member.id).domains);
    }
    return others;
  }

  void MoveApart() {
    for (const auto& [id, group] : groups_) {
      if (!HasRoom()) return;
      if (!CanMove(id, group)) continue;
      if (const std::optional<GroupMove> move = FindMoveApart(id, group)) Begin(*move);
    }
  }

  std::optional<GroupMove> FindMoveApart(PgId id, const PlacementGroup& group) {
    using Rank = std::tuple<Crowding, double, ServerId, ServerId>;  // of the taker, its use; giver, taker
    std::optional<Rank> best;
    for (const GroupMember& member : group.members) {
      const Seat* giver = Find(member.id);
      if (giver == nullptr || giver->busy) continue;
      const std::vector<FailureDomains> others = DomainsOfOthers(group, member.id);
      const Crowding now = CrowdingOf(giver->facts->domains, others);
      if (now == Crowding()) continue;
      for (const auto& [taker_id, taker] : seats_) {
        // One that is used much already would only have to give something else.
        if (!CanTake(taker, group) || taker.share > mean_ + kBalancedWithin) continue;
        const Crowding then = CrowdingOf(taker.facts->domains, others);
        const Rank rank{then, taker.share, member.id, taker_id};
        if (then < now && (!best || rank < *best)) best = rank;
      }
    }
    if (!best) return std::nullopt;
    return GroupMove{id, std::get<2>(*best), std::get<3>(*best)};
  }

  void Level() {
    std::vector<Seat*> by_share;
    for (auto& [id, seat] : seats_) by_share.push_back(&seat);
    std::stable_sort(by_share.begin(), by_share.end(),
                     [](const Seat* a, const Seat* b) { return a->share < b->share; });
    for (auto giver = by_share.rbegin(); giver != by_share.rend() && (*giver)->share > mean_ && HasRoom(); ++giver) {
      if ((*giver)->busy) continue;
      for (const Seat* taker : by_share) {
        if (taker->share >= mean_ || (*giver)->busy) break;
        const bool is_balanced = (*giver)->share <= mean_ + kBalancedWithin && taker->share >= mean_ - kBalancedWithin;
        if (is_balanced || taker->busy) continue;
        if (const std::optional<GroupMove> move = FindLevellingMove(**giver, *taker)) Begin(*move);
      }
    }
  }

  /// The largest that is not too large.
  std::optional<GroupMove> FindLevellingMove(const Seat& giver, const Seat& taker) {
    const double most = LevellingBytes(giver, taker);
    std::optional<GroupMove> best;
    double best_bytes = 0;
    for (const auto& [id, group] : groups_) {
      if (group.Find(giver.id) == nullptr || !CanTake(taker, group) || !CanMove(id, group)) continue;
      const double bytes = BytesOf(id, group);
      if (bytes > most || bytes <= best_bytes) continue;
      const std::vector<FailureDomains> others = DomainsOfOthers(group, giver.id);
      if (CrowdingOf(taker.facts->domains, others) > CrowdingOf(giver.facts->domains, others)) continue;
      best = GroupMove{id, giver.id, taker.id};
      best_bytes = bytes;
    }
    return best;
  }

  const Groups& groups_;
  const ClusterFacts& facts_;
  const double mean_;
  std::map<ServerId, Seat> seats_;
  std::uint32_t under_way_ = 0;
  std::vector<GroupMove> moves_;
};

}  // namespace

double MeanUse(const ClusterFacts& facts) {
  double used_bytes = 0;
  double capacity_bytes = 0;
  for (const auto& [id, server] : facts.servers) {
    if (!TakesPart(server)) continue;
    used_bytes += static_cast<double>(server.used_bytes);
    capacity_bytes += static_cast<double>(server.capacity_bytes);
  }
  return capacity_bytes > 0 ? used_bytes / capacity_bytes : 0;
}

std::vector<GroupMove> PlanMoves(const Groups& groups, const ClusterFacts& facts) {
  const bool all_at_rest =
      std::all_of(groups.begin(), groups.end(), [&](const auto& entry) { return IsAtRest(entry.second, facts); });
  // Before every server has said what it holds, there is no mean.
  const bool all_known = std::all_of(facts.servers.begin(), facts.servers.end(), [](const auto& entry) {
    return !entry.second.alive || entry.second.capacity_bytes > 0;
  });
  if (!all_at_rest || !all_known) return {};
  return Balance(groups, facts).Plan();
}

bool IsBalancing(const Groups& groups, ClusterFacts facts) {
  const bool is_moving = std::any_of(groups.begin(), groups.end(),
                                     [](const auto& entry) { return MoveOf(entry.first, entry.second).has_value(); });
  if (is_moving) return true;
  for (auto& [id, server] : facts.servers) server.tidy = true;
  return !PlanMoves(groups, facts).empty();
}

std::set<PgId> BeginMoves(Groups& drafts, const ClusterFacts& facts) {
  std::set<PgId> changed;
  for (const GroupMove& move : PlanMoves(drafts, facts)) {
    PlacementGroup& group = drafts.at(move.pg);
    for (GroupMember& member : group.members) member.leaving = member.id == move.from;
    group.AddJoiner(move.to);
    changed.insert(move.pg);
  }
  return changed;
}

std::optional<GroupMove> MoveOf(PgId id, const PlacementGroup& group) {
  auto giver =
      std::find_if(group.members.begin(), group.members.end(), [](const auto& member) { return member.leaving; });
  if (giver == group.members.end()) return std::nullopt;
  // Members are in the order in which they were made so.
  return GroupMove{id, giver->id, group.members.back().id};
}

}  // namespace gabion
