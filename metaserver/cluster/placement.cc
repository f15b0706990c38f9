#include "metaserver/cluster/placement.h"

#include <fmt/format.h>

#include <algorithm>

namespace gabion {

Placement::Placement(std::vector<Group> groups, Space servers) : servers_(servers) {
  auto add_slot = [](Wheel& wheel, const Group& group) {
    const std::uint64_t before = wheel.slots.empty() ? 0 : wheel.slots.back().first;
    wheel.slots.emplace_back(before + group.weight, group.id);
  };
  for (Group& group : groups) {
    Policy& policy = policies_[group.replicas];
    if (group.weight > 0) {
      add_slot(policy.any, group);
      if (group.writable) add_slot(policy.writable, group);
    }
    const PgId id = group.id;
    groups_.emplace(id, std::move(group));
  }
}

Result<PgId> Placement::Choose(std::uint32_t replicas, Random& random) const {
  auto policy = policies_.find(replicas);
  if (policy == policies_.end()) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("no placement groups with {} replicas: too few chunkservers have registered", replicas));
  }
  const Wheel& wheel = policy->second.writable.slots.empty() ? policy->second.any : policy->second.writable;
  if (wheel.slots.empty()) return Error(ErrorCode::kNoSpace, "all chunkservers are full");
  const std::uint64_t point = random.Below(wheel.slots.back().first);
  auto slot = std::upper_bound(wheel.slots.begin(), wheel.slots.end(), point,
                               [](std::uint64_t value, const auto& candidate) { return value < candidate.first; });
  return slot->second;
}

const std::vector<ServerId>& Placement::MembersOf(PgId pg) const {
  static const std::vector<ServerId> kNone;
  auto group = groups_.find(pg);
  return group == groups_.end() ? kNone : group->second.members;
}

Epoch Placement::EpochOf(PgId pg) const {
  auto group = groups_.find(pg);
  return group == groups_.end() ? Epoch() : group->second.epoch;
}

}  // namespace gabion
