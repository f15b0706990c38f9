#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "metaserver/cluster/membership_policy.h"

namespace gabion {

inline constexpr PgId kBenchPg{1};

/// For tests of the policies over groups: servers that are all alive, and groups over them that are whole.
class PolicyBench {
 public:
  explicit PolicyBench(unsigned servers) {
    facts.now = TimePoint{} + std::chrono::minutes(60);
    facts.down_out = std::chrono::minutes(10);
    for (unsigned i = 1; i <= servers; ++i) {
      ServerFacts& server = facts.servers[ServerId(i)];
      server.alive = true;
      server.incarnation = i;
      server.domains.host = "host" + std::to_string(i);
      server.capacity_bytes = 1000;
      server.tidy = true;
    }
  }

  PlacementGroup& AddGroup(PgId id, const std::vector<unsigned>& members) {
    PlacementGroup& group = groups[id];
    group.epoch = Epoch(7);
    group.replicas = static_cast<std::uint32_t>(members.size());
    group.primary = ServerId(members.front());
    for (unsigned number : members) {
      GroupMember member;
      member.id = ServerId(number);
      member.incarnation = facts.servers.at(member.id).incarnation;
      group.members.push_back(member);
    }
    return group;
  }

  ServerFacts& server(unsigned number) { return facts.servers.at(ServerId(number)); }
  PlacementGroup& group(PgId id = kBenchPg) { return groups.at(id); }
  GroupReports& said(PgId id = kBenchPg) { return reports[id]; }
  std::string StateOf(unsigned number, PgId id = kBenchPg) {
    const GroupMember* member = group(id).Find(ServerId(number));
    if (member == nullptr) return "none";
    const std::string since = std::to_string(member->since.value());
    return member->state == MemberState::kInSync    ? "in sync"
           : member->state == MemberState::kJoining ? "joining since " + since
                                                    : "away since " + since;
  }

  void Restart(unsigned number, bool lost_unsynced) {
    ++server(number).incarnation;
    server(number).lost_unsynced = lost_unsynced;
  }

  /// How many groups changed.
  std::size_t Step(Duration later = Duration(0)) {
    facts.now = facts.now + later;
    const Groups next = NextGroups(groups, reports, facts);
    for (const auto& [id, group] : next) {
      EXPECT_EQ(group.epoch, groups.at(id).epoch.next());
      groups[id] = group;
      reports.erase(id);
    }
    return next.size();
  }
  std::set<ServerId> ToRelease() { return MembersToRelease(group(), said(), facts); }
  /// The server does what it is asked.
  void Release(unsigned number) {
    ASSERT_TRUE(ToRelease().contains(ServerId(number)));
    said().released.insert(ServerId(number));
    ASSERT_EQ(Step(), 1u);
  }

  ClusterFacts facts;
  Groups groups;
  Reports reports;
};

}  // namespace gabion
