#include "metaserver/cluster/group.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

constexpr TimePoint kNow{5'000'000'000};

PlacementGroup ThreeStates() {
  PlacementGroup group;
  group.epoch = Epoch(9);
  group.replicas = 3;
  group.primary = ServerId(2);
  group.lost_before = Epoch(6);
  GroupMember member;
  member.id = ServerId(2);
  member.incarnation = 77;
  member.lost_before = Epoch(6);
  group.members.push_back(member);
  member.id = ServerId(1);
  member.lost_before = Epoch();
  member.state = MemberState::kJoining;
  member.since = Epoch(4);
  member.added = Epoch(3);
  group.members.push_back(member);
  member.id = ServerId(3);
  member.state = MemberState::kAway;
  member.full = true;
  member.pause = std::chrono::seconds(2);
  member.join_after = kNow + member.pause;
  member.away_since = kNow;
  group.members.push_back(member);
  return group;
}

TEST(GroupTest, SurvivesAsARecord) {
  const PlacementGroup group = ThreeStates();
  const records::Group record = ToRecord(group);
  EXPECT_EQ(record.in_sync_size(), 1);
  EXPECT_EQ(GroupOf(record, kNow), group);
}

TEST(GroupTest, OfAnOldRecordAllMembersHaveTheirData) {
  records::Group record = ToRecord(ThreeStates());
  record.clear_states();
  *record.mutable_in_sync() = record.members();
  const PlacementGroup group = GroupOf(record, kNow);
  EXPECT_EQ(group.Count(MemberState::kInSync), 3u);
  EXPECT_EQ(group.Find(ServerId(1))->since, Epoch());
}

TEST(GroupTest, CountsItsMembers) {
  PlacementGroup group = ThreeStates();
  EXPECT_EQ(group.Count(MemberState::kJoining), 1u);
  EXPECT_EQ(group.CountRebuilds(), 0u);
  group.members[1].since = Epoch();
  EXPECT_EQ(group.CountRebuilds(), 1u);
  EXPECT_EQ(group.Find(ServerId(9)), nullptr);
}

}  // namespace
}  // namespace gabion
