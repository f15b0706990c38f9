#include "metaserver/cluster/placement_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "common/base/byte_units.h"
#include "common/env/sim/sim_random.h"

namespace gabion {
namespace {

std::vector<PlacementServer> Servers(unsigned count, unsigned per_host = 1) {
  std::vector<PlacementServer> servers;
  for (unsigned i = 0; i < count; ++i)
    servers.push_back({ServerId(i + 1), {"", "", "host" + std::to_string(i / per_host)}});
  return servers;
}

std::vector<GroupMembers> Plan(const std::vector<PlacementServer>& servers, const std::vector<GroupMembers>& existing,
                               std::uint32_t replicas, std::uint32_t groups = 64) {
  SimRandom random(1);
  return PlanGroups(servers, existing, replicas, groups, random);
}

TEST(PlacementPolicyTest, MakesNoGroupsWithTooFewServers) {
  EXPECT_TRUE(Plan(Servers(2), {}, 3).empty());
  EXPECT_TRUE(Plan({}, {}, 1).empty());
  EXPECT_EQ(Plan(Servers(3), {}, 3).size(), 64u);
}

TEST(PlacementPolicyTest, SpreadsMembersAndPrimariesEvenly) {
  std::map<ServerId, int> memberships, primaries;
  for (const GroupMembers& group : Plan(Servers(6), {}, 3)) {
    EXPECT_EQ(std::set<ServerId>(group.members.begin(), group.members.end()).size(), 3u) << "a server twice";
    EXPECT_EQ(std::count(group.members.begin(), group.members.end(), group.primary), 1);
    for (ServerId member : group.members) ++memberships[member];
    ++primaries[group.primary];
  }
  for (unsigned id = 1; id <= 6; ++id) {
    EXPECT_NEAR(memberships[ServerId(id)], 32, 1) << "server " << id;
    EXPECT_NEAR(primaries[ServerId(id)], 64 / 6.0, 3) << "server " << id;
  }
}

TEST(PlacementPolicyTest, ALostServersPartnersAreAllTheOthers) {
  std::set<ServerId> partners;
  for (const GroupMembers& group : Plan(Servers(6), {}, 3)) {
    if (std::count(group.members.begin(), group.members.end(), ServerId(1)) == 0) continue;
    partners.insert(group.members.begin(), group.members.end());
  }
  EXPECT_EQ(partners.size(), 6u);
}

TEST(PlacementPolicyTest, UsesDistinctHostsWhileThereAreEnough) {
  const std::vector<PlacementServer> servers = Servers(6, 2);  // three hosts
  for (const GroupMembers& group : Plan(servers, {}, 3)) {
    std::set<std::string> hosts;
    for (ServerId member : group.members) hosts.insert(servers[member.value() - 1].domains.host);
    EXPECT_EQ(hosts.size(), 3u);
  }
  EXPECT_EQ(Plan(Servers(3, 3), {}, 3).size(), 64u) << "one host is better than no data";
}

TEST(PlacementPolicyTest, UsesDistinctZonesThenRacksWhileThereAreEnough) {
  // Zones a and b, each with racks 1 and 2, each with three hosts.
  std::vector<PlacementServer> servers;
  for (const char* zone : {"a", "b"}) {
    for (const char* rack : {"1", "2"}) {
      for (int i = 0; i < 3; ++i) {
        const ServerId id(static_cast<std::uint32_t>(servers.size() + 1));
        servers.push_back({id, {zone, rack, "host" + std::to_string(id.value())}});
      }
    }
  }
  for (std::uint32_t replicas = 2; replicas <= 4; ++replicas) {
    for (const GroupMembers& group : Plan(servers, {}, replicas)) {
      std::map<std::string, std::uint32_t> zones;
      std::set<std::string> racks;
      for (ServerId member : group.members) {
        const FailureDomains& domains = servers[member.value() - 1].domains;
        ++zones[domains.zone];
        racks.insert(domains.zone + domains.rack);
      }
      EXPECT_EQ(zones.size(), 2u);
      for (const auto& [zone, members] : zones) EXPECT_LE(members, (replicas + 1) / 2) << zone;
      EXPECT_EQ(racks.size(), replicas);
    }
  }
}

TEST(PlacementPolicyTest, AServerThatJoinsGetsItsShare) {
  const std::vector<GroupMembers> existing = Plan(Servers(3), {}, 3);
  EXPECT_TRUE(Plan(Servers(3), existing, 3).empty());
  const std::vector<GroupMembers> added = Plan(Servers(4), existing, 3);
  EXPECT_EQ(added.size(), 16u);
  for (const GroupMembers& group : added)
    EXPECT_EQ(std::count(group.members.begin(), group.members.end(), ServerId(4)), 1);
}

TEST(PlacementPolicyTest, WeightIsTheFreeSpaceOfTheFullestMember) {
  const ServerSpace empty{true, 128 * kGiB, 0};
  const ServerSpace half{true, 128 * kGiB, 64 * kGiB};
  const ServerSpace full{true, 128 * kGiB, 128 * kGiB - ReserveBytes(128 * kGiB)};
  EXPECT_EQ(GroupWeight({empty, empty}), 127 * 1024u);
  EXPECT_EQ(GroupWeight({empty, half}), 63 * 1024u);
  EXPECT_EQ(GroupWeight({empty, half, full}), 0u);
  EXPECT_EQ(GroupWeight({empty, {}}), kUnknownSpaceWeight);
  EXPECT_EQ(GroupWeight({empty, {true, 0, 0}}), kUnknownSpaceWeight) << "no disk is online: not full";
}

TEST(PlacementPolicyTest, ReserveHasItsBounds) {
  EXPECT_EQ(ReserveBytes(0), 4 * kMiB);
  EXPECT_EQ(ReserveBytes(6400 * kMiB), 100 * kMiB);
  EXPECT_EQ(ReserveBytes(100 * 1024 * kGiB), kGiB);
}

}  // namespace
}  // namespace gabion
