#include "metaserver/cluster/membership_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/env/sim/sim_random.h"
#include "metaserver/cluster/rebuild_policy.h"
#include "tests/unit/metaserver/cluster/policy_bench.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr PgId kPg = kBenchPg;

TEST(MembershipPolicyTest, MinReplicasIsMoreThanHalfOrHalf) {
  std::vector<std::uint32_t> minima;
  for (std::uint32_t replicas = 1; replicas <= 8; ++replicas) minima.push_back(MinReplicas(replicas));
  EXPECT_THAT(minima, ElementsAre(1, 1, 2, 2, 3, 3, 4, 4));
}

TEST(MembershipPolicyTest, NothingChangesWhileAllIsWell) {
  PolicyBench bench(4);
  bench.AddGroup(kPg, {1, 2, 3});
  EXPECT_EQ(bench.Step(minutes(60)), 0u);
}

TEST(MembershipPolicyTest, ADeadMemberIsAwayAndComesBackThroughJoining) {
  PolicyBench bench(3);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.server(2).alive = false;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.StateOf(2), "away since 7");
  EXPECT_EQ(bench.group().primary, ServerId(1)) << "the primary is as good as before";
  EXPECT_EQ(bench.Step(minutes(1)), 0u);
  bench.server(2).alive = true;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.StateOf(2), "joining since 7");
  EXPECT_EQ(bench.Step(minutes(1)), 0u);
  bench.said().caught_up.insert(ServerId(2));
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.StateOf(2), "in sync");
  EXPECT_EQ(bench.group().epoch, Epoch(10));
}

TEST(MembershipPolicyTest, AJoinerThatDiesKeepsItsSince) {
  PolicyBench bench(3);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.server(2).alive = false;
  bench.Step();
  bench.server(2).alive = true;
  bench.Step();
  bench.server(2).alive = false;
  bench.said().caught_up.insert(ServerId(2));
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.StateOf(2), "away since 7");
}

TEST(MembershipPolicyTest, TheLastOnesInSyncStayDeadOrAlive) {
  PolicyBench bench(3);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.server(2).alive = false;
  bench.Step();
  for (unsigned number : {1u, 3u}) bench.server(number).alive = false;
  bench.server(2).alive = true;
  EXPECT_EQ(bench.Step(minutes(60)), 0u) << "2 lacks what the others acknowledged";
  EXPECT_EQ(bench.StateOf(1), "in sync");
  EXPECT_EQ(bench.StateOf(3), "in sync");
  bench.server(3).alive = true;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.StateOf(1), "away since 8");
  EXPECT_EQ(bench.StateOf(2), "joining since 7");
  EXPECT_EQ(bench.group().primary, ServerId(3));
}

TEST(MembershipPolicyTest, ADeadPrimaryIsFollowedByTheServerThatLeadsFewest) {
  PolicyBench bench(4);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.AddGroup(PgId(2), {2, 3, 4});
  bench.server(1).alive = false;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.group().primary, ServerId(3));
}

TEST(MembershipPolicyTest, AServerThatIsBackLeadsItsShareAgain) {
  PolicyBench bench(3);
  for (unsigned id = 1; id <= 9; ++id) bench.AddGroup(PgId(id), {1 + id % 3, 1 + (id + 1) % 3, 1 + (id + 2) % 3});
  auto led_by = [&](unsigned number) {
    return std::count_if(bench.groups.begin(), bench.groups.end(),
                         [&](const auto& entry) { return entry.second.primary == ServerId(number); });
  };
  bench.server(1).alive = false;
  bench.Step();
  EXPECT_EQ(led_by(1), 0);
  bench.server(1).alive = true;
  bench.Step();
  EXPECT_EQ(led_by(1), 0) << "it has yet to be brought in sync";
  for (auto& [id, group] : bench.groups) bench.said(id).caught_up.insert(ServerId(1));
  bench.Step();
  for (unsigned number = 1; number <= 3; ++number) EXPECT_EQ(led_by(number), 3);
}

TEST(MembershipPolicyTest, ARestartedServersGroupsStartAnew) {
  PolicyBench bench(3);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.server(1).incarnation = 100;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.group().Count(MemberState::kInSync), 3u);
  EXPECT_EQ(bench.group().primary, ServerId(1));
  EXPECT_EQ(bench.Step(), 0u);
  bench.server(1).incarnation = 101;
  bench.server(1).lost_unsynced = true;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.group().Count(MemberState::kInSync), 3u);
  EXPECT_EQ(bench.group().primary, ServerId(2)) << "1 may lack what was not synced";
}

TEST(MembershipPolicyTest, NothingIsLostWhileAMemberThatKeptItLeads) {
  PolicyBench bench(3);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.Restart(1, true);
  bench.Step();
  EXPECT_EQ(bench.group().primary, ServerId(2));
  EXPECT_EQ(bench.group().lost_before, Epoch());
  bench.Restart(2, true);
  bench.Restart(3, true);
  bench.Step();
  EXPECT_EQ(bench.group().primary, ServerId(1)) << "it has had the time to get back what it lacked";
  EXPECT_EQ(bench.group().lost_before, Epoch(8)) << "but nobody knows whether it did";
}

TEST(MembershipPolicyTest, WhatAllCopiesLostIsSaid) {
  PolicyBench bench(2);
  bench.AddGroup(kPg, {1, 2});
  bench.Restart(1, true);
  bench.Restart(2, true);
  bench.Step();
  EXPECT_EQ(bench.group().epoch, Epoch(8));
  EXPECT_EQ(bench.group().lost_before, Epoch(8));
  bench.Restart(1, false);
  bench.Step();
  EXPECT_EQ(bench.group().lost_before, Epoch(8)) << "a process that ends takes nothing with it";
}

TEST(MembershipPolicyTest, AMemberThatWasBroughtInSyncLacksNothing) {
  PolicyBench bench(2);
  bench.AddGroup(kPg, {1, 2});
  bench.Restart(2, true);
  bench.Step();
  bench.server(2).alive = false;
  bench.Step();
  bench.server(2).alive = true;
  bench.Step();
  bench.said().caught_up.insert(ServerId(2));
  bench.Step();
  bench.said().caught_up.clear();
  bench.server(1).alive = false;
  bench.Step();
  EXPECT_EQ(bench.group().primary, ServerId(2));
  EXPECT_EQ(bench.group().lost_before, Epoch());
}

TEST(MembershipPolicyTest, ARestartedJoinerHasNotCaughtUp) {
  PolicyBench bench(3);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.server(2).alive = false;
  bench.Step();
  bench.server(2).alive = true;
  bench.Step();
  bench.server(2).incarnation = 100;
  bench.said().caught_up.insert(ServerId(2));
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.StateOf(2), "joining since 7");
}

TEST(MembershipPolicyTest, ARestartIsNotForgottenWhileNobodyCanGoOn) {
  PolicyBench bench(2);
  bench.AddGroup(kPg, {1, 2});
  bench.server(2).alive = false;
  bench.Step();
  bench.server(2).alive = true;
  bench.Step();
  bench.server(1).alive = false;
  bench.server(2).incarnation = 100;
  EXPECT_EQ(bench.Step(), 0u);
  bench.server(1).alive = true;
  EXPECT_EQ(bench.Step(), 1u) << "the primary is the same, and does not know that its joiner is another";
}

TEST(MembershipPolicyTest, AFailingMemberIsAskedAndGoesWhenItHasReleased) {
  PolicyBench bench(3);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.said().failing[ServerId(2)] = false;
  EXPECT_EQ(bench.Step(), 0u) << "its lease is valid: it may be serving";
  bench.Release(2);
  EXPECT_EQ(bench.StateOf(2), "away since 7");
  EXPECT_EQ(bench.Step(milliseconds(900)), 0u);
  EXPECT_EQ(bench.Step(milliseconds(100)), 1u);
  EXPECT_EQ(bench.StateOf(2), "joining since 7");
}

TEST(MembershipPolicyTest, PausesDoubleUntilAnotherServerTakesThePlace) {
  PolicyBench bench(3);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.said().failing[ServerId(2)] = false;
  bench.Release(2);
  for (int pause_s = 1; pause_s <= 64; pause_s *= 2) {
    EXPECT_EQ(bench.Step(seconds(pause_s) - Duration(1)), 0u);
    EXPECT_EQ(bench.Step(Duration(1)), 1u);
    bench.said().failing[ServerId(2)] = false;
    EXPECT_EQ(bench.Step(), 1u) << "a joiner serves nothing that it could release";
  }
  EXPECT_EQ(bench.group().Find(ServerId(2))->pause, kLongestPause);
  bench.facts.servers[ServerId(4)] = bench.server(3);
  bench.server(4).domains.host = "host4";
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.StateOf(2), "none");
  EXPECT_EQ(bench.StateOf(4), "joining since 0");
}

TEST(MembershipPolicyTest, NobodyIsAskedToReleaseWhatIsNeeded) {
  PolicyBench bench(3);
  bench.AddGroup(kPg, {1, 2, 3});
  for (unsigned number : {2u, 3u}) bench.said().failing[ServerId(number)] = false;
  EXPECT_EQ(bench.ToRelease().size(), 1u);
  bench.said().asked = bench.ToRelease();
  EXPECT_EQ(bench.ToRelease(), bench.said().asked) << "the one that was asked, as long as it does not say so";
  bench.said().asked.clear();
  bench.server(1).alive = false;
  EXPECT_THAT(bench.ToRelease(), IsEmpty());
}

TEST(MembershipPolicyTest, WhenAllHaveReleasedTheyGoOnInTheNextEpoch) {
  PolicyBench bench(2);
  bench.AddGroup(kPg, {1, 2});
  bench.said().released = {ServerId(1), ServerId(2)};
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.group().Count(MemberState::kInSync), 2u);
}

TEST(MembershipPolicyTest, AMemberThatIsAwayForTooLongIsReplaced) {
  PolicyBench bench(5);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.server(4).domains.host = "host1";
  bench.server(2).alive = false;
  bench.Step();
  EXPECT_EQ(bench.Step(minutes(10) - Duration(1)), 0u);
  EXPECT_EQ(bench.Step(Duration(1)), 1u);
  EXPECT_EQ(bench.StateOf(2), "none");
  EXPECT_EQ(bench.StateOf(5), "joining since 0") << "4 is on the host of 1";
}

TEST(MembershipPolicyTest, AReplacementStandsApartFromTheMembersThatStay) {
  const struct {
    FailureDomains fourth, fifth;
    unsigned chosen;
  } kCases[] = {
      {{"a", "a1", "h4"}, {"c", "c1", "h5"}, 5},  // the zone of the lost member is free
      {{"a", "a1", "h4"}, {"b", "b2", "h5"}, 5},  // no zone is free, a rack is
      {{"a", "a1", "h1"}, {"b", "b1", "h5"}, 5},  // no rack is free, a host is
      {{"a", "a1", "h1"}, {"b", "b1", "h2"}, 4},  // as good as each other
  };
  for (const auto& test : kCases) {
    PolicyBench bench(5);
    bench.AddGroup(kPg, {1, 2, 3});
    bench.server(1).domains = {"a", "a1", "h1"};
    bench.server(2).domains = {"b", "b1", "h2"};
    bench.server(3).domains = {"c", "c1", "h3"};
    bench.server(4).domains = test.fourth;
    bench.server(5).domains = test.fifth;
    bench.server(3).alive = false;
    bench.Step();
    EXPECT_EQ(bench.Step(minutes(10)), 1u);
    EXPECT_EQ(bench.StateOf(test.chosen), "joining since 0") << test.fourth.zone << " or " << test.fifth.zone;
  }
}

TEST(MembershipPolicyTest, AFullMemberIsReplacedAtOnceIfThereIsRoom) {
  PolicyBench bench(4);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.said().failing[ServerId(2)] = true;
  bench.server(4).full = true;
  bench.Release(2);
  EXPECT_EQ(bench.StateOf(2), "away since 7");
  bench.server(4).full = false;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.StateOf(2), "none");
  EXPECT_EQ(bench.StateOf(4), "joining since 0");
}

TEST(MembershipPolicyTest, AServerBringsFewRebuildsInSyncTheEndangeredFirst) {
  PolicyBench bench(16);
  for (unsigned id = 1; id <= 20; ++id) bench.AddGroup(PgId(id), {1, 10, 11});
  bench.AddGroup(PgId(99), {1, 10, 12});
  for (unsigned number : {10u, 12u}) bench.server(number).alive = false;
  EXPECT_EQ(bench.Step(), 21u);
  EXPECT_EQ(bench.Step(minutes(10)), kMaxRebuildsPerServer);
  EXPECT_EQ(bench.groups.at(PgId(99)).CountRebuilds(), 1u) << "one copy is left of it";
  EXPECT_EQ(bench.Step(minutes(10)), 0u);
}

TEST(MembershipPolicyTest, AServerTakesFewRebuilds) {
  PolicyBench bench(10);
  for (unsigned id = 1; id <= 8; ++id) bench.AddGroup(PgId(id), {id, 9});
  for (unsigned number = 1; number <= 8; ++number) bench.server(number).full = true;
  bench.server(9).alive = false;
  EXPECT_EQ(bench.Step(), 8u);
  EXPECT_EQ(bench.Step(minutes(10)), kMaxRebuildsPerServer);
  EXPECT_EQ(bench.Step(minutes(10)), 0u);
  bench.said(PgId(1)).caught_up.insert(ServerId(10));
  EXPECT_EQ(bench.Step(), 2u) << "one is done, the next begins";
}

TEST(MembershipPolicyTest, AServerInMaintenanceIsNotReplacedUntilThatHasEnded) {
  PolicyBench bench(4);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.server(2).in_maintenance = true;
  bench.server(2).alive = false;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.StateOf(2), "away since 7");
  EXPECT_EQ(bench.Step(minutes(600)), 0u);
  bench.server(2).in_maintenance = false;
  bench.server(2).missed_since = bench.facts.now;
  EXPECT_EQ(bench.Step(minutes(10) - Duration(1)), 0u) << "from now on it is missed";
  EXPECT_EQ(bench.Step(Duration(1)), 1u);
  EXPECT_EQ(bench.StateOf(4), "joining since 0");
}

TEST(MembershipPolicyTest, ADrainedServerIsReplacedDuringItsMaintenance) {
  PolicyBench bench(4);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.server(2).in_maintenance = true;
  bench.server(2).draining = true;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.StateOf(4), "joining since 0");
}

TEST(MembershipPolicyTest, NothingNewComesToAServerInMaintenance) {
  PolicyBench bench(4);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.server(4).in_maintenance = true;
  bench.server(2).alive = false;
  bench.Step();
  EXPECT_EQ(bench.Step(minutes(10)), 0u);
}

TEST(MembershipPolicyTest, AServerInMaintenanceLeadsNothingThatAnotherCanLead) {
  PolicyBench bench(3);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.AddGroup(PgId(2), {1});
  bench.server(1).in_maintenance = true;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.group().primary, ServerId(2));
  EXPECT_EQ(bench.group().Count(MemberState::kInSync), 3u) << "it serves until it is stopped";
  EXPECT_EQ(bench.group(PgId(2)).primary, ServerId(1));
  EXPECT_EQ(bench.Step(), 0u);
  bench.server(2).in_maintenance = bench.server(3).in_maintenance = true;
  EXPECT_EQ(bench.Step(), 0u) << "somebody has to";
  bench.server(2).alive = bench.server(3).alive = false;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.group().primary, ServerId(1));
}

TEST(MembershipPolicyTest, WhoMayHaveLostSomethingDoesNotTakeOverForMaintenance) {
  PolicyBench bench(2);
  bench.AddGroup(kPg, {1, 2});
  bench.Restart(2, true);
  bench.Step();
  bench.server(1).in_maintenance = true;
  EXPECT_EQ(bench.Step(), 0u);
  EXPECT_EQ(bench.group().primary, ServerId(1));
}

TEST(MembershipPolicyTest, ADrainedServerGoesWhenAllCopiesAreElsewhere) {
  PolicyBench bench(4);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.server(1).draining = true;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.StateOf(1), "in sync");
  EXPECT_EQ(bench.StateOf(4), "joining since 0");
  EXPECT_THAT(bench.ToRelease(), IsEmpty());
  bench.said().caught_up.insert(ServerId(4));
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_THAT(bench.ToRelease(), UnorderedElementsAre(ServerId(1)));
  bench.Release(1);
  EXPECT_EQ(bench.StateOf(1), "none");
  EXPECT_NE(bench.group().primary, ServerId(1));
  EXPECT_EQ(bench.Step(minutes(60)), 0u);
}

TEST(MembershipPolicyTest, ADrainThatIsTakenBackLeavesNoCopyTooMany) {
  PolicyBench bench(4);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.server(1).draining = true;
  bench.Step();
  bench.server(1).draining = false;
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.StateOf(4), "none");
  bench.server(1).draining = true;
  bench.Step();
  bench.said().caught_up.insert(ServerId(4));
  bench.Step();
  bench.server(1).draining = false;
  bench.Release(4);
  EXPECT_EQ(bench.StateOf(4), "none");
  EXPECT_EQ(bench.Step(), 0u);
}

TEST(MembershipPolicyTest, WhatAServerHadIsGivenUpOnlyWhereAnotherStandsIn) {
  PolicyBench bench(3);
  bench.AddGroup(kPg, {1, 2, 3});
  bench.AddGroup(PgId(2), {2, 3});
  auto is_dispensable = [&](unsigned number) { return IsDispensable(ServerId(number), bench.groups, bench.facts); };
  EXPECT_FALSE(is_dispensable(1)) << "it is in sync";
  bench.server(1).alive = false;
  EXPECT_FALSE(is_dispensable(1)) << "it still counts as in sync";
  bench.Step();
  EXPECT_TRUE(is_dispensable(1));
  for (unsigned number : {2u, 3u}) bench.server(number).alive = false;
  EXPECT_FALSE(is_dispensable(1)) << "the others may be gone as well";
  bench.server(3).alive = true;
  EXPECT_TRUE(is_dispensable(1));
  EXPECT_FALSE(is_dispensable(3)) << "the last one";
}

TEST(MembershipPolicyTest, ServersOfAnOldReleaseKeepTheirGroupsAsTheyAre) {
  PolicyBench bench(3);
  for (unsigned number = 1; number <= 3; ++number) bench.server(number).incarnation = 0;
  bench.AddGroup(kPg, {1, 2, 3});
  bench.server(2).alive = false;
  EXPECT_EQ(bench.Step(minutes(60)), 0u);
}

/// Servers die, come back, lose power, say true and false things, for 100,000 steps.
class RandomWalk {
 public:
  explicit RandomWalk(std::uint64_t seed) : random_(seed), bench_(kServers) {
    for (unsigned id = 1; id <= kGroups; ++id) {
      std::vector<unsigned> members;
      for (unsigned i = 0; i < 1 + id % 4; ++i) members.push_back(1 + (id + i) % kServers);
      bench_.AddGroup(PgId(id), members);
    }
  }

  void Step() {
    bench_.facts.now = bench_.facts.now + milliseconds(random_.Below(1000) * (random_.Chance(1, 50) ? 500 : 1));
    for (int i = 0; i < 2; ++i) DisturbServer(bench_.server(1 + static_cast<unsigned>(random_.Below(kServers))));
    for (auto& [id, group] : bench_.groups) Report(id, group);
    const Groups next = NextGroups(bench_.groups, bench_.reports, bench_.facts);
    for (auto& [id, group] : bench_.groups) {
      if (auto changed = next.find(id); changed != next.end()) {
        CheckChange(group, changed->second, bench_.reports[id]);
        group = changed->second;
        bench_.reports.erase(id);
        ++changes_;
      }
      CheckGroup(group);
    }
  }
  std::uint64_t changes() const { return changes_; }
  std::uint64_t replacements() const { return replacements_; }

 private:
  static constexpr unsigned kServers = 8;
  static constexpr unsigned kGroups = 12;

  void DisturbServer(ServerFacts& server) {
    switch (random_.Below(12)) {
      case 0:
        server.alive = false;
        break;
      case 1:
        server.alive = true;  // the network was away
        break;
      case 2:
        server.alive = true;
        server.incarnation = random_.Next() | 1;
        server.lost_unsynced = false;
        break;
      case 3:
        server.alive = true;
        server.incarnation = random_.Next() | 1;
        server.lost_unsynced = true;
        break;
      case 4:
        server.full = random_.Chance(1, 8);
        break;
      case 5:
        server.draining = random_.Chance(1, 8);
        break;
      case 6:
        server.in_maintenance = random_.Chance(1, 8);
        server.missed_since = bench_.facts.now;
        break;
      default:
        break;
    }
  }

  void Report(PgId id, const PlacementGroup& group) {
    if (!random_.Chance(1, 4)) return;
    GroupReports& said = bench_.reports[id];
    const ServerId about = group.members[random_.Below(group.members.size())].id;
    switch (random_.Below(3)) {
      case 0:
        said.caught_up.insert(about);
        break;
      case 1:
        said.failing[about] = random_.Chance(1, 2);
        break;
      case 2:
        said.asked = MembersToRelease(group, said, bench_.facts);
        if (said.asked.contains(about)) said.released.insert(about);
        break;
    }
  }

  static bool IsInSync(const PlacementGroup& group, ServerId id) {
    const GroupMember* member = group.Find(id);
    return member != nullptr && member->state == MemberState::kInSync;
  }

  void CheckChange(const PlacementGroup& was, const PlacementGroup& is, const GroupReports& said) {
    EXPECT_EQ(is.epoch, was.epoch.next());
    EXPECT_EQ(is.replicas, was.replicas);
    bool other_alive = false;
    for (const GroupMember& member : is.members) {
      EXPECT_TRUE(member.state != MemberState::kJoining || bench_.facts.IsAlive(member.id));
      if (member.state == MemberState::kInSync) {
        other_alive |= bench_.facts.IsAlive(member.id);
        EXPECT_TRUE(IsInSync(was, member.id) || (was.Find(member.id) && said.caught_up.contains(member.id)));
      }
      if (was.Find(member.id) != nullptr) continue;
      EXPECT_EQ(member.state, MemberState::kJoining);
      EXPECT_EQ(member.since, Epoch());
      ++replacements_;
    }
    EXPECT_TRUE(IsInSync(is, is.primary) && bench_.facts.IsAlive(is.primary));
    for (const GroupMember& member : was.members) {
      if (member.state != MemberState::kInSync || IsInSync(is, member.id)) continue;
      EXPECT_TRUE(other_alive);
      EXPECT_TRUE(!bench_.facts.IsAlive(member.id) || said.released.contains(member.id));
      const GroupMember* left = is.Find(member.id);
      EXPECT_TRUE(left == nullptr || left->since == was.epoch);
    }
  }

  void CheckGroup(const PlacementGroup& group) {
    EXPECT_GE(group.Count(MemberState::kInSync), 1u);
    EXPECT_TRUE(IsInSync(group, group.primary));
    EXPECT_LE(group.members.size(), 3 * group.replicas);
    std::set<ServerId> distinct;
    for (const GroupMember& member : group.members) {
      distinct.insert(member.id);
      EXPECT_LE(member.since, group.epoch);
    }
    EXPECT_EQ(distinct.size(), group.members.size());
  }

  SimRandom random_;
  PolicyBench bench_;
  std::uint64_t changes_ = 0;
  std::uint64_t replacements_ = 0;
};

TEST(MembershipPolicyTest, KeepsItsPromisesWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 10 && !testing::Test::HasFailure(); ++seed) {
    RandomWalk walk(seed);
    for (int i = 0; i < 10'000 && !testing::Test::HasFailure(); ++i) walk.Step();
    EXPECT_GT(walk.changes(), 1000u);
    EXPECT_GT(walk.replacements(), 10u);
  }
}

}  // namespace
}  // namespace gabion
