#include "metaserver/cluster/placement.h"

#include <gtest/gtest.h>

#include "common/env/sim/sim_random.h"

namespace gabion {
namespace {

Placement::Group GroupOf(std::uint32_t id, std::uint32_t weight, bool writable = true, std::uint32_t replicas = 3) {
  return {PgId(id), replicas, {ServerId(id)}, weight, writable};
}

std::map<PgId, int> Draw(const Placement& placement, int times) {
  SimRandom random(1);
  std::map<PgId, int> drawn;
  for (int i = 0; i < times; ++i) {
    Result<PgId> pg = placement.Choose(3, random);
    EXPECT_TRUE(pg.has_value());
    ++drawn[*pg];
  }
  return drawn;
}

TEST(PlacementTest, ChoosesByWeight) {
  const Placement placement({GroupOf(1, 100), GroupOf(2, 300), GroupOf(3, 0), GroupOf(4, 1000, true, 2)}, {});
  std::map<PgId, int> drawn = Draw(placement, 4000);
  EXPECT_EQ(drawn.size(), 2u) << "a full group, or one of another policy, was chosen";
  EXPECT_NEAR(drawn[PgId(1)], 1000, 150);
}

TEST(PlacementTest, AvoidsGroupsThatCannotBeWrittenWhileThereAreOthers) {
  EXPECT_EQ(Draw(Placement({GroupOf(1, 100), GroupOf(2, 10'000, false)}, {}), 100).size(), 1u);
  EXPECT_EQ(Draw(Placement({GroupOf(1, 0), GroupOf(2, 10'000, false)}, {}), 100).size(), 1u);
}

TEST(PlacementTest, SaysWhyThereIsNoPlace) {
  SimRandom random(1);
  const Placement none;
  EXPECT_EQ(none.Choose(3, random).error().code(), ErrorCode::kUnavailable);
  EXPECT_FALSE(none.HasGroups(3));
  const Placement full({GroupOf(1, 0)}, {});
  EXPECT_EQ(full.Choose(3, random).error().code(), ErrorCode::kNoSpace);
  EXPECT_TRUE(full.HasGroups(3));
  EXPECT_FALSE(full.HasGroups(2));
}

TEST(PlacementTest, KnowsMembers) {
  const Placement placement({GroupOf(1, 1)}, {});
  EXPECT_EQ(placement.MembersOf(PgId(1)), std::vector<ServerId>{ServerId(1)});
  EXPECT_TRUE(placement.MembersOf(PgId(9)).empty());
}

}  // namespace
}  // namespace gabion
