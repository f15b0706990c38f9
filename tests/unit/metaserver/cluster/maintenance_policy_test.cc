#include "metaserver/cluster/maintenance_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/metaserver/cluster/policy_bench.h"

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(MaintenancePolicyTest, NamesTheGroupsThatHaveNoOtherCopyWithinReach) {
  PolicyBench bench(4);
  bench.AddGroup(PgId(1), {1, 2});
  bench.AddGroup(PgId(2), {1});
  bench.AddGroup(PgId(3), {2, 3});
  auto needing = [&] { return GroupsThatNeed(ServerId(1), bench.groups, bench.facts); };
  EXPECT_THAT(needing(), ElementsAre(PgId(2)));
  bench.server(2).alive = false;
  EXPECT_THAT(needing(), ElementsAre(PgId(1), PgId(2))) << "the other member is down";
  bench.server(2).alive = true;
  bench.server(2).in_maintenance = true;
  EXPECT_THAT(needing(), ElementsAre(PgId(1), PgId(2))) << "it is about to be";
  bench.server(2).in_maintenance = false;
  bench.group(PgId(1)).members[1].state = MemberState::kJoining;
  EXPECT_THAT(needing(), ElementsAre(PgId(1), PgId(2))) << "it has not everything yet";
  bench.group(PgId(1)).members[0].state = MemberState::kAway;
  bench.group(PgId(2)).members[0].state = MemberState::kAway;
  EXPECT_THAT(needing(), IsEmpty()) << "nobody can need what it has not";
}

}  // namespace
}  // namespace gabion
