#include "metaserver/cluster/maintenance_policy.h"

#include <algorithm>

namespace gabion {

std::vector<PgId> GroupsThatNeed(ServerId server, const Groups& groups, const ClusterFacts& facts) {
  std::vector<PgId> needing;
  for (const auto& [id, group] : groups) {
    const GroupMember* member = group.Find(server);
    if (member == nullptr || member->state != MemberState::kInSync) continue;
    const bool has_another = std::any_of(group.members.begin(), group.members.end(), [&](const GroupMember& other) {
      return other.id != server && other.state == MemberState::kInSync && facts.IsAlive(other.id) &&
             !facts.servers.at(other.id).in_maintenance;
    });
    if (!has_another) needing.push_back(id);
  }
  return needing;
}

}  // namespace gabion
