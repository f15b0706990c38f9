#include "metaserver/cluster/group.h"

#include <algorithm>

namespace gabion {

const GroupMember* PlacementGroup::Find(ServerId id) const {
  auto found = std::find_if(members.begin(), members.end(), [&](const GroupMember& member) { return member.id == id; });
  return found == members.end() ? nullptr : &*found;
}

std::uint32_t PlacementGroup::Count(MemberState state) const {
  return static_cast<std::uint32_t>(
      std::count_if(members.begin(), members.end(), [&](const GroupMember& member) { return member.state == state; }));
}

void PlacementGroup::AddJoiner(ServerId id) {
  GroupMember member;
  member.id = id;
  member.state = MemberState::kJoining;
  member.added = epoch.next();
  members.push_back(member);
}

std::uint32_t PlacementGroup::CountRebuilds() const {
  return static_cast<std::uint32_t>(std::count_if(members.begin(), members.end(), [](const GroupMember& member) {
    return member.state == MemberState::kJoining && !member.since;
  }));
}

records::Group ToRecord(const PlacementGroup& group) {
  records::Group record;
  record.set_epoch(group.epoch.value());
  record.set_replicas(group.replicas);
  record.set_primary(group.primary.value());
  record.set_lost_before_epoch(group.lost_before.value());
  for (const GroupMember& member : group.members) {
    record.add_members(member.id.value());
    if (member.state == MemberState::kInSync) record.add_in_sync(member.id.value());
    records::MemberState* state = record.add_states();
    state->set_since_epoch(member.since.value());
    state->set_joining(member.state == MemberState::kJoining);
    state->set_added_epoch(member.added.value());
    state->set_incarnation(member.incarnation);
    state->set_lost_before_epoch(member.lost_before.value());
    state->set_full(member.full);
    state->set_leaving(member.leaving);
    state->set_pause_ms(
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(member.pause).count()));
  }
  return record;
}

PlacementGroup GroupOf(const records::Group& record, TimePoint now) {
  PlacementGroup group;
  group.epoch = Epoch(record.epoch());
  group.replicas = record.replicas();
  group.primary = ServerId(record.primary());
  group.lost_before = Epoch(record.lost_before_epoch());
  for (int i = 0; i < record.members_size(); ++i) {
    GroupMember member;
    member.id = ServerId(record.members(i));
    // Records of before there was anything but members in sync have no states.
    const records::MemberState state = i < record.states_size() ? record.states(i) : records::MemberState();
    const bool in_sync = std::count(record.in_sync().begin(), record.in_sync().end(), record.members(i)) > 0;
    member.state = in_sync ? MemberState::kInSync : state.joining() ? MemberState::kJoining : MemberState::kAway;
    member.since = Epoch(state.since_epoch());
    member.added = Epoch(state.added_epoch());
    member.incarnation = state.incarnation();
    member.lost_before = Epoch(state.lost_before_epoch());
    member.full = state.full();
    member.leaving = state.leaving();
    member.pause = std::chrono::milliseconds(state.pause_ms());
    if (member.state == MemberState::kAway) {
      member.join_after = now + member.pause;
      member.away_since = now;
    }
    group.members.push_back(member);
  }
  return group;
}

}  // namespace gabion
