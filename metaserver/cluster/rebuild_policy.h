#pragma once

#include <set>

#include "metaserver/cluster/membership_policy.h"

namespace gabion {

/// Groups that one server may be made a new member of, or bring a new member of in sync, at the same time: so that the
/// first copies are whole soon, and clients are served meanwhile.
inline constexpr std::uint32_t kMaxRebuildsPerServer = 4;

/// Makes servers new members in place of those that cannot be waited for: members away for too long, or again and
/// again, without space, or of drained servers. The groups with the fewest members in sync come first, and all of them
/// before groups that move to balance servers: those stay where they are. Changes
/// `drafts`; `groups` are all groups, as they are. The groups it changed. Pure.
std::set<PgId> PlanRebuilds(const Groups& groups, Groups& drafts, const ClusterFacts& facts);

}  // namespace gabion
