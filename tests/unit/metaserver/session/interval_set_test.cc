#include "metaserver/session/interval_set.h"

#include <gtest/gtest.h>

#include <set>

#include "common/env/sim/sim_random.h"

namespace gabion {
namespace {

TEST(IntervalSetTest, NeighboursJoinIntoOneRun) {
  IntervalSet set;
  for (std::uint64_t value : {5, 7, 6, 1, 2, 3, 4}) set.Insert(value);
  EXPECT_EQ(set.run_count(), 1u);
  EXPECT_EQ(set.Min(), 1u);
  set.RemoveMin();
  EXPECT_EQ(set.Min(), 2u);
  set.RemoveBelow(6);
  EXPECT_FALSE(set.Contains(5));
  EXPECT_TRUE(set.Contains(6));
  EXPECT_EQ(set.NextFrom(3), 6u);
  EXPECT_EQ(set.NextFrom(8), std::nullopt);
}

TEST(IntervalSetTest, AgreesWithAnOrdinarySet) {
  SimRandom random(3);
  IntervalSet set;
  std::set<std::uint64_t> model;
  for (int i = 0; i < 5'000; ++i) {
    const std::uint64_t value = random.Below(200);
    if (random.Chance(1, 50)) {
      set.RemoveBelow(value);
      model.erase(model.begin(), model.lower_bound(value));
    } else if (random.Chance(1, 5) && !model.empty()) {
      set.RemoveMin();
      model.erase(model.begin());
    } else {
      set.Insert(value);
      model.insert(value);
    }
    const std::uint64_t probe = random.Below(200);
    ASSERT_EQ(set.Contains(probe), model.contains(probe));
    auto next = model.lower_bound(probe);
    ASSERT_EQ(set.NextFrom(probe), next == model.end() ? std::nullopt : std::optional(*next));
    ASSERT_EQ(set.empty(), model.empty());
  }
}

}  // namespace
}  // namespace gabion
