// Groups that move from server to server, so that all are used alike.
#include <fmt/format.h>

#include <algorithm>

#include "metaserver/cluster/balance_policy.h"
#include "metaserver/cluster/cluster.h"

namespace gabion {

namespace {

/// Between two looks at how servers are used. Longer than it takes until heartbeats tell what a move has changed.
constexpr Duration kLookInterval = std::chrono::seconds(5);
/// After a move was called off: whatever it failed at may last.
constexpr Duration kCalledOffPause = std::chrono::minutes(10);

double Percent(const ServerFacts& server) {
  return server.capacity_bytes == 0
             ? 0
             : 100.0 * static_cast<double>(server.used_bytes) / static_cast<double>(server.capacity_bytes);
}

std::string TextOf(const GroupMove& move, const PlacementGroup& group, const ClusterFacts& facts) {
  std::vector<FailureDomains> others;
  for (const GroupMember& member : group.members) {
    if (member.id != move.from && member.id != move.to) others.push_back(facts.servers.at(member.id).domains);
  }
  const ServerFacts& from = facts.servers.at(move.from);
  const ServerFacts& to = facts.servers.at(move.to);
  const bool is_apart = CrowdingOf(to.domains, others) < CrowdingOf(from.domains, others);
  return fmt::format("placement group {} moves from chunkserver {} ({:.1f} % used) to chunkserver {} ({:.1f} %), {}",
                     move.pg.value(), move.from.value(), Percent(from), move.to.value(), Percent(to),
                     is_apart ? "further from its other members"
                              : fmt::format("nearer to the mean of {:.1f} %", 100 * MeanUse(facts)));
}

}  // namespace

void Cluster::NoteMoves(const Groups& next, const ClusterFacts& facts, Env& env, WriteBatch& batch) {
  for (const auto& [id, group] : next) {
    const PlacementGroup& before = groups_.at(id);
    const std::optional<GroupMove> was = MoveOf(id, before);
    const std::optional<GroupMove> is = MoveOf(id, group);
    if (is && !was) {
      balancing_ = true;
      Note(EventAbout(is->from, "group-moves", TextOf(*is, group, facts)), env, batch);
    }
    if (was && !is && group.Find(was->from) != nullptr) {
      next_balance_ = facts.now + kCalledOffPause;
      Note(EventAbout(was->from, "group-stays",
                      fmt::format("placement group {} stays on chunkserver {}: copies that are missing come first",
                                  id.value(), was->from.value())),
           env, batch);
    }
    for (const GroupMember& member : before.members) {
      auto server = servers_.find(member.id);
      if (group.Find(member.id) == nullptr && server != servers_.end()) server->second.tidy = false;
    }
  }
}

void Cluster::PrepareBalance(ClusterFacts& facts) {
  facts.may_balance = facts.now >= next_balance_;
  if (!facts.may_balance) return;
  next_balance_ = facts.now + kLookInterval;
  facts.group_bytes = group_bytes_;
}

bool Cluster::NoteBalanced(const ClusterFacts& facts, Env& env, WriteBatch& batch) {
  if (!balancing_ || !facts.may_balance) return false;
  const bool all_tidy = std::all_of(facts.servers.begin(), facts.servers.end(),
                                    [](const auto& entry) { return entry.second.tidy || !entry.second.alive; });
  if (!all_tidy || IsBalancing(groups_, facts)) return false;
  balancing_ = false;
  Note(EventAbout(ServerId(), "balance-finished", "no placement group has to move any more"), env, batch);
  return true;
}

Cluster::BalanceView Cluster::ViewBalance(TimePoint now) const {
  const std::lock_guard lock(mutex_);
  ClusterFacts facts = FactsAt(now);
  facts.group_bytes = group_bytes_;
  BalanceView view;
  view.under_way = IsBalancing(groups_, std::move(facts));
  for (const auto& [id, group] : groups_) {
    const std::optional<GroupMove> move = MoveOf(id, group);
    if (!move) continue;
    ++view.moving;
    auto known = progress_.find(id);
    if (known == progress_.end()) continue;
    auto joiner = known->second.find(move->to);
    if (joiner != known->second.end()) view.bytes_left += joiner->second.bytes_left();
  }
  return view;
}

}  // namespace gabion
