#include "metaserver/cluster/balance_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/env/sim/sim_random.h"
#include "tests/unit/metaserver/cluster/policy_bench.h"

namespace gabion {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

/// Servers that hold 1000 bytes each, of which so many are used, and `groups` groups over the first three of them.
PolicyBench UsedBench(const std::vector<std::uint64_t>& used_bytes, unsigned groups) {
  PolicyBench bench(static_cast<unsigned>(used_bytes.size()));
  for (unsigned number = 1; number <= used_bytes.size(); ++number)
    bench.server(number).used_bytes = used_bytes[number - 1];
  for (unsigned id = 1; id <= groups; ++id) bench.AddGroup(PgId(id), {1, 2, 3});
  return bench;
}

std::vector<GroupMove> Plan(const PolicyBench& bench) {
  return PlanMoves(bench.groups, bench.facts);
}

TEST(BalancePolicyTest, AServerThatIsUsedMoreGivesToOneThatIsUsedLess) {
  const PolicyBench bench = UsedBench({600, 500, 500, 0}, 30);
  EXPECT_THAT(Plan(bench), ElementsAre(GroupMove{PgId(1), ServerId(1), ServerId(4)}))
      << "the fullest gives; the empty one takes one at a time";
}

TEST(BalancePolicyTest, NothingMovesWhileAllAreNearTheMean) {
  EXPECT_THAT(Plan(UsedBench({500, 500, 500, 440}, 30)), IsEmpty());
  EXPECT_THAT(Plan(UsedBench({500, 500, 500, 425}, 30)), SizeIs(1)) << "more than 5 points below the mean";
  EXPECT_THAT(Plan(UsedBench({0, 0, 0, 0}, 30)), IsEmpty());
}

TEST(BalancePolicyTest, NothingMovesThatWouldMoveBack) {
  EXPECT_THAT(Plan(UsedBench({500, 500, 500, 299}, 5)), SizeIs(1)) << "then both are used alike";
  EXPECT_THAT(Plan(UsedBench({500, 500, 500, 310}, 5)), IsEmpty());
}

TEST(BalancePolicyTest, TheLargestGroupThatFitsGoes) {
  PolicyBench bench = UsedBench({500, 500, 500, 300}, 4);
  bench.facts.group_bytes = {{PgId(1), 10}, {PgId(2), 90}, {PgId(3), 110}, {PgId(4), 90}};
  EXPECT_THAT(Plan(bench), ElementsAre(GroupMove{PgId(2), ServerId(3), ServerId(4)}));
}

TEST(BalancePolicyTest, CapacitiesCountNotBytes) {
  PolicyBench bench = UsedBench({500, 500, 500, 500}, 30);
  bench.server(4).capacity_bytes = 2000;
  EXPECT_THAT(Plan(bench), SizeIs(1));
  bench.server(4).used_bytes = 1000;
  EXPECT_THAT(Plan(bench), IsEmpty());
}

TEST(BalancePolicyTest, FewGroupsMoveAtATimeAndOneOfAServer) {
  PolicyBench bench(12);
  for (unsigned id = 1; id <= 60; ++id) bench.AddGroup(PgId(id), {1 + id % 6, 1 + (id + 1) % 6});
  for (unsigned number = 1; number <= 6; ++number) bench.server(number).used_bytes = 600;
  const std::vector<GroupMove> moves = Plan(bench);
  EXPECT_THAT(moves, SizeIs(kMaxMoves));
  std::set<ServerId> busy;
  for (const GroupMove& move : moves) {
    EXPECT_TRUE(busy.insert(move.from).second);
    EXPECT_TRUE(busy.insert(move.to).second);
  }
  bench.facts.may_balance = true;
  EXPECT_EQ(bench.Step(), kMaxMoves);
  EXPECT_THAT(Plan(bench), IsEmpty());
}

TEST(BalancePolicyTest, NothingMovesWhileAnythingIsMissing) {
  using Spoil = void (*)(PolicyBench&);
  const std::pair<const char*, Spoil> kCases[] = {
      {"a member is away", [](PolicyBench& b) { b.group(PgId(9)).members[1].state = MemberState::kAway; }},
      {"a member joins", [](PolicyBench& b) { b.group(PgId(9)).members[1].state = MemberState::kJoining; }},
      {"a copy is missing", [](PolicyBench& b) { b.group(PgId(9)).replicas = 4; }},
      {"a copy is too many", [](PolicyBench& b) { b.group(PgId(9)).replicas = 2; }},
      {"a member is dead", [](PolicyBench& b) { b.server(2).alive = false; }},
      {"a member is drained", [](PolicyBench& b) { b.server(2).draining = true; }},
      {"a member is of an old release", [](PolicyBench& b) { b.server(2).incarnation = 0; }},
      {"a server has not said what it holds", [](PolicyBench& b) { b.server(5).capacity_bytes = 0; }},
  };
  for (const auto& [what, spoil] : kCases) {
    PolicyBench bench = UsedBench({600, 600, 600, 0, 0}, 30);
    ASSERT_THAT(Plan(bench), SizeIs(2));
    spoil(bench);
    EXPECT_THAT(Plan(bench), IsEmpty()) << what;
  }
}

TEST(BalancePolicyTest, SomeServersNeitherGiveNorTake) {
  using Spoil = void (*)(ServerFacts&);
  const std::pair<const char*, Spoil> kCases[] = {
      {"in maintenance", [](ServerFacts& server) { server.in_maintenance = true; }},
      {"not tidy", [](ServerFacts& server) { server.tidy = false; }},
      {"full", [](ServerFacts& server) { server.full = true; }},
      {"away", [](ServerFacts& server) { server.alive = false; }},
      {"drained", [](ServerFacts& server) { server.draining = true; }},
  };
  for (const auto& [what, spoil] : kCases) {
    PolicyBench bench = UsedBench({600, 600, 600, 0}, 30);
    ASSERT_THAT(Plan(bench), SizeIs(1));
    spoil(bench.server(4));
    EXPECT_THAT(Plan(bench), IsEmpty()) << what;
  }
  PolicyBench bench = UsedBench({900, 600, 600, 0}, 30);
  bench.server(1).tidy = false;
  ASSERT_THAT(Plan(bench), SizeIs(1));
  EXPECT_NE(Plan(bench).front().from, ServerId(1)) << "it may only have to give back space";
}

TEST(BalancePolicyTest, NothingComesNearerToOtherMembers) {
  PolicyBench bench = UsedBench({600, 600, 600, 0}, 30);
  for (unsigned number = 1; number <= 3; ++number) bench.server(number).domains.zone = "z" + std::to_string(number);
  bench.server(4).domains.zone = "z2";
  EXPECT_THAT(Plan(bench), ElementsAre(GroupMove{PgId(1), ServerId(2), ServerId(4)}));
  bench.server(4).domains.host = "host1";
  EXPECT_THAT(Plan(bench), IsEmpty());
}

TEST(BalancePolicyTest, MembersThatStandTooNearMoveApart) {
  PolicyBench bench = UsedBench({300, 300, 300, 300, 300}, 1);
  const char* const kZones[] = {"a", "a", "b", "c", "b"};
  for (unsigned number = 1; number <= 5; ++number) bench.server(number).domains.zone = kZones[number - 1];
  EXPECT_THAT(Plan(bench), ElementsAre(GroupMove{PgId(1), ServerId(1), ServerId(4)}));
  bench.server(4).used_bytes = 700;
  EXPECT_THAT(Plan(bench), IsEmpty()) << "it is used too much already";
}

/// The group's taker has everything; the giver does as it is asked.
void FinishMove(PolicyBench& bench, unsigned giver, unsigned taker) {
  EXPECT_THAT(bench.ToRelease(), IsEmpty()) << "the taker has not joined yet";
  bench.said().caught_up.insert(ServerId(taker));
  EXPECT_EQ(bench.Step(), 1u);
  EXPECT_EQ(bench.group().Count(MemberState::kInSync), 4u);
  EXPECT_THAT(bench.ToRelease(), UnorderedElementsAre(ServerId(giver)));
  bench.Release(giver);
}

TEST(BalancePolicyTest, TheTakerIsInSyncBeforeTheGiverLeaves) {
  PolicyBench bench = UsedBench({600, 500, 500, 0}, 1);
  bench.facts.group_bytes[kBenchPg] = 100;
  bench.facts.may_balance = true;
  EXPECT_EQ(bench.Step(), 1u);
  bench.facts.may_balance = false;
  EXPECT_EQ(bench.StateOf(1), "in sync");
  EXPECT_EQ(bench.StateOf(4), "joining since 0");
  EXPECT_EQ(MoveOf(kBenchPg, bench.group()), (GroupMove{kBenchPg, ServerId(1), ServerId(4)}));
  EXPECT_TRUE(IsBalancing(bench.groups, bench.facts));
  EXPECT_EQ(bench.Step(minutes(60)), 0u);
  FinishMove(bench, 1, 4);
  EXPECT_EQ(bench.StateOf(1), "none");
  EXPECT_NE(bench.group().primary, ServerId(1));
  EXPECT_EQ(bench.group().Count(MemberState::kInSync), 3u);
  EXPECT_FALSE(MoveOf(kBenchPg, bench.group()));
}

TEST(BalancePolicyTest, AMoveSurvivesARestartOfTheMetaserver) {
  PolicyBench bench = UsedBench({600, 500, 500, 0}, 1);
  bench.facts.group_bytes[kBenchPg] = 100;
  bench.facts.may_balance = true;
  bench.Step();
  bench.group() = GroupOf(ToRecord(bench.group()), bench.facts.now);
  EXPECT_TRUE(MoveOf(kBenchPg, bench.group()));
  FinishMove(bench, 1, 4);
}

TEST(BalancePolicyTest, AMoveIsCalledOffWhenAnythingHasToBeRebuilt) {
  PolicyBench bench = UsedBench({600, 500, 500, 0, 0, 300, 300}, 1);
  bench.AddGroup(PgId(2), {2, 3, 6});
  bench.facts.group_bytes = {{kBenchPg, 100}, {PgId(2), 400}};
  bench.facts.may_balance = true;
  EXPECT_EQ(bench.Step(), 1u);
  bench.server(6).alive = false;
  bench.Step();
  EXPECT_TRUE(MoveOf(kBenchPg, bench.group())) << "it may be back in a moment";
  bench.Step(minutes(10));
  EXPECT_FALSE(MoveOf(kBenchPg, bench.group()));
  EXPECT_EQ(bench.group(PgId(2)).CountRebuilds(), 1u);
  bench.Step();
  EXPECT_EQ(bench.StateOf(1), "in sync");
  EXPECT_EQ(bench.group().members.size(), 3u) << "the taker is dropped";
}

TEST(BalancePolicyTest, ATakerThatDiesCostsTheMoveAndNothingElse) {
  PolicyBench bench = UsedBench({600, 500, 500, 0}, 1);
  bench.facts.group_bytes[kBenchPg] = 100;
  bench.facts.may_balance = true;
  bench.Step();
  bench.server(4).alive = false;
  bench.Step();
  bench.Step(minutes(10));
  bench.Step();
  EXPECT_EQ(bench.group().Count(MemberState::kInSync), 3u);
  EXPECT_EQ(bench.group().members.size(), 3u);
  EXPECT_FALSE(MoveOf(kBenchPg, bench.group()));
}

TEST(BalancePolicyTest, AServerThatLeadsLittleGetsItsShareOfLeads) {
  PolicyBench bench(3);
  for (unsigned id = 1; id <= 30; ++id) bench.AddGroup(PgId(id), {1 + id % 2, 2 - id % 2, 3});
  bench.facts.may_balance = true;
  std::size_t changes = 0;
  for (int i = 0; i < 100; ++i) {
    const std::size_t changed = bench.Step();
    EXPECT_LE(changed, 4u);
    changes += changed;
  }
  EXPECT_EQ(changes, 10u) << "and then it is over";
}

/// A cluster that does what it is told: takers join, givers release groups and give their space back, each after a
/// while; servers may die and come back.
class BalanceWalk {
 public:
  BalanceWalk(std::uint64_t seed, unsigned servers, unsigned filled) : random_(seed), bench_(servers) {
    for (unsigned id = 1; id <= kGroups; ++id) {
      const PgId pg(id);
      const unsigned first = static_cast<unsigned>(random_.Below(filled));
      std::vector<unsigned> members;
      for (unsigned i = 0; i < kReplicas; ++i) members.push_back(1 + (first + i) % filled);
      for (unsigned member : members) held_[ServerId(member)].insert(pg);
      bench_.AddGroup(pg, members);
      bytes_[pg] = 2'000 + random_.Below(16'000);
    }
    for (auto& [id, server] : bench_.facts.servers) server.capacity_bytes = kCapacity * (1 + id.value() % 2);
    UpdateUse();
  }

  void Step(bool with_failures) {
    ++step_;
    bench_.facts.may_balance = step_ % 5 == 0;
    if (with_failures) Disturb();
    for (auto& [id, group] : bench_.groups) Report(id, group);
    GiveBack();
    UpdateUse();
    bench_.facts.now = bench_.facts.now + std::chrono::seconds(1);
    const Groups next = NextGroups(bench_.groups, bench_.reports, bench_.facts);
    for (const auto& [id, group] : next) {
      Check(bench_.groups.at(id), group);
      Follow(id, bench_.groups.at(id), group);
      bench_.groups[id] = group;
      bench_.reports.erase(id);
    }
    is_quiet_ = next.empty();
  }

  void Mend() {
    for (auto& [id, server] : bench_.facts.servers) server.alive = true;
  }
  bool is_quiet() const { return is_quiet_; }
  std::uint64_t moves() const { return moves_; }
  void ExpectBalanced() {
    const double mean = MeanUse(bench_.facts);
    for (const auto& [id, server] : bench_.facts.servers) {
      const double share = static_cast<double>(server.used_bytes) / static_cast<double>(server.capacity_bytes);
      EXPECT_NEAR(share, mean, kBalancedWithin) << "server " << id.value();
    }
    for (const auto& [id, group] : bench_.groups) {
      EXPECT_EQ(group.members.size(), kReplicas);
      EXPECT_EQ(group.Count(MemberState::kInSync), kReplicas);
    }
    EXPECT_FALSE(IsBalancing(bench_.groups, bench_.facts));
  }

 private:
  static constexpr unsigned kGroups = 60;
  static constexpr unsigned kReplicas = 3;
  static constexpr std::uint64_t kCapacity = 500'000;

  void Disturb() {
    if (!random_.Chance(1, 40)) return;
    auto server = bench_.facts.servers.begin();
    std::advance(server, static_cast<std::ptrdiff_t>(random_.Below(bench_.facts.servers.size())));
    server->second.alive = !server->second.alive;
    if (random_.Chance(1, 4)) bench_.facts.now = bench_.facts.now + minutes(11);
  }

  void Report(PgId id, const PlacementGroup& group) {
    for (const GroupMember& member : group.members) {
      if (member.state != MemberState::kJoining || !bench_.facts.IsAlive(group.primary) || !random_.Chance(1, 8))
        continue;
      held_[member.id].insert(id);
      bench_.facts.group_bytes[id] = bytes_[id];
      bench_.reports[id].caught_up.insert(member.id);
    }
    for (ServerId asked : MembersToRelease(group, bench_.reports[id], bench_.facts)) {
      bench_.reports[id].asked.insert(asked);
      if (random_.Chance(1, 2)) bench_.reports[id].released.insert(asked);
    }
  }

  void Follow(PgId id, const PlacementGroup& was, const PlacementGroup& is) {
    if (!MoveOf(id, was) && MoveOf(id, is)) ++moves_;
    for (const GroupMember& member : was.members) {
      if (is.Find(member.id) != nullptr) continue;
      bench_.facts.servers.at(member.id).tidy = false;
      leftovers_[{member.id, id}] = step_ + 10;
    }
  }

  void GiveBack() {
    for (auto& [id, server] : bench_.facts.servers) server.tidy = true;
    std::erase_if(leftovers_, [&](const auto& entry) {
      const auto& [server, pg] = entry.first;
      if (bench_.groups.at(pg).Find(server) != nullptr) return true;
      if (step_ >= entry.second) {
        held_[server].erase(pg);
        return true;
      }
      bench_.facts.servers.at(server).tidy = false;
      return false;
    });
  }

  void UpdateUse() {
    for (auto& [id, server] : bench_.facts.servers) {
      server.used_bytes = 0;
      for (PgId pg : held_[id]) server.used_bytes += bytes_[pg];
    }
  }

  static bool IsInSync(const PlacementGroup& group, ServerId id) {
    const GroupMember* member = group.Find(id);
    return member != nullptr && member->state == MemberState::kInSync;
  }

  /// A copy in sync goes only where its server is dead, or as many as are wanted stay; one of these may die just then.
  void Check(const PlacementGroup& was, const PlacementGroup& is) {
    const auto died = static_cast<std::uint32_t>(std::count_if(
        was.members.begin(), was.members.end(),
        [&](const GroupMember& member) { return IsInSync(was, member.id) && !bench_.facts.IsAlive(member.id); }));
    for (const GroupMember& member : was.members) {
      if (!IsInSync(was, member.id) || IsInSync(is, member.id) || !bench_.facts.IsAlive(member.id)) continue;
      EXPECT_GE(is.Count(MemberState::kInSync) + died, kReplicas);
    }
    EXPECT_LE(is.members.size(), 3 * kReplicas);
  }

  SimRandom random_;
  PolicyBench bench_;
  std::map<PgId, std::uint64_t> bytes_;
  std::map<ServerId, std::set<PgId>> held_;
  std::map<std::pair<ServerId, PgId>, std::uint64_t> leftovers_;  // until which step
  std::uint64_t step_ = 0;
  std::uint64_t moves_ = 0;
  bool is_quiet_ = false;
};

TEST(BalancePolicyTest, AClusterEndsBalancedAndStaysSo) {
  for (std::uint64_t seed = 1; seed <= 5 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    BalanceWalk walk(seed, 6, 4);
    for (int i = 0; i < 3000; ++i) walk.Step(false);
    walk.ExpectBalanced();
    EXPECT_GT(walk.moves(), 10u);
    EXPECT_LT(walk.moves(), 200u);
    for (int i = 0; i < 100; ++i) {
      walk.Step(false);
      EXPECT_TRUE(walk.is_quiet()) << "nothing moves to and fro";
    }
  }
}

TEST(BalancePolicyTest, FailuresOnTheWayCostNoCopyAndTheEndIsTheSame) {
  for (std::uint64_t seed = 1; seed <= 5 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    BalanceWalk walk(seed, 7, 5);
    for (int i = 0; i < 3000; ++i) walk.Step(true);
    walk.Mend();
    for (int i = 0; i < 5000; ++i) walk.Step(false);
    walk.ExpectBalanced();
    EXPECT_TRUE(walk.is_quiet());
  }
}

}  // namespace
}  // namespace gabion
