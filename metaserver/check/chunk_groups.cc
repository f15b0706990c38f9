#include "metaserver/check/chunk_groups.h"

#include <algorithm>

namespace gabion {

ChunkGroups::ChunkGroups(const std::vector<Cluster::GroupView>& views) {
  for (const Cluster::GroupView& view : views) {
    Group& group = groups_[view.id];
    group.epoch = view.group.epoch;
    for (const GroupMember& member : view.group.members) {
      if (group.members.size() == kMaxMembersOfMask) break;
      if (member.state == MemberState::kInSync) group.in_sync |= 1u << group.members.size();
      group.members.push_back(member.id);
    }
  }
}

const ChunkGroups::Group* ChunkGroups::Find(PgId pg) const {
  auto found = groups_.find(pg);
  return found == groups_.end() ? nullptr : &found->second;
}

Epoch ChunkGroups::EpochOf(PgId pg) const {
  const Group* group = Find(pg);
  return group == nullptr ? Epoch() : group->epoch;
}

std::optional<unsigned> ChunkGroups::MemberOf(PgId pg, ServerId server) const {
  const Group* group = Find(pg);
  if (group == nullptr) return std::nullopt;
  auto found = std::find(group->members.begin(), group->members.end(), server);
  if (found == group->members.end()) return std::nullopt;
  return static_cast<unsigned>(found - group->members.begin());
}

MemberMask ChunkGroups::InSync(PgId pg) const {
  const Group* group = Find(pg);
  return group == nullptr ? 0 : group->in_sync;
}

std::vector<ServerId> ChunkGroups::InSyncServers(PgId pg) const {
  std::vector<ServerId> servers;
  const Group* group = Find(pg);
  if (group == nullptr) return servers;
  for (std::size_t i = 0; i < group->members.size(); ++i) {
    if ((group->in_sync & (1u << i)) != 0) servers.push_back(group->members[i]);
  }
  return servers;
}

}  // namespace gabion
