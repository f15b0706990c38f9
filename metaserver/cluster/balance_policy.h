#pragma once

#include <optional>
#include <set>
#include <vector>

#include "metaserver/cluster/membership_policy.h"

namespace gabion {

/// Servers are balanced while each one's used share of its capacity is within so much of the mean.
inline constexpr double kBalancedWithin = 0.05;
/// Groups that move at the same time: clients are served meanwhile.
inline constexpr std::uint32_t kMaxMoves = 4;

/// One server is to take the place of another in a group.
struct GroupMove {
  PgId pg;
  ServerId from;
  ServerId to;

  friend bool operator==(const GroupMove&, const GroupMove&) = default;
};

/// How much of what servers can hold is in use, from 0 to 1, all of those together whose use is known.
double MeanUse(const ClusterFacts& facts);

/// Which groups begin to move now. Pure. None while any group lacks a member, or a server is drained; at most kMaxMoves
/// together with those that are moving, and no server gives or takes a second one.
///
/// - Members that stand nearer to each other than they need to move apart.
/// - Servers that are used more than the mean give to servers that are used less, while one of the two is not balanced.
///   What is given is never so large that the taker would then be used more than the giver, so that nothing moves back;
///   no group's members come nearer to each other by it.
std::vector<GroupMove> PlanMoves(const Groups& groups, const ClusterFacts& facts);

/// Whether groups move, or would if the servers had given back the space of those that moved before. Pure.
bool IsBalancing(const Groups& groups, ClusterFacts facts);

/// Has what PlanMoves says begin: the taker joins, and when it is in sync the giver leaves, as one that is drained
/// does. The groups it changed. Pure.
std::set<PgId> BeginMoves(Groups& drafts, const ClusterFacts& facts);

/// The move that a group is in. Pure.
std::optional<GroupMove> MoveOf(PgId id, const PlacementGroup& group);

}  // namespace gabion
