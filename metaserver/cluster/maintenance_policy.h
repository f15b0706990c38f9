#pragma once

#include <vector>

#include "metaserver/cluster/membership_policy.h"

namespace gabion {

/// The groups that would be unavailable without this server: no other member in sync is alive and meant to stay so.
/// Pure.
std::vector<PgId> GroupsThatNeed(ServerId server, const Groups& groups, const ClusterFacts& facts);

}  // namespace gabion
