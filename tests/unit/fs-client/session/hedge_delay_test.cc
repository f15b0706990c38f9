#include "fs-client/session/hedge_delay.h"

#include <gtest/gtest.h>

#include "common/env/sim/sim_random.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;

TEST(HedgeDelayTest, IsTwiceWhatOneReadInTwentyTakesLongerThan) {
  SimRandom random(1);
  HedgeDelay delay;
  double sum_ms = 0;
  constexpr int kReads = 20'000;
  for (int i = 0; i < kReads; ++i) {
    delay.Answered(milliseconds(random.Below(100)));
    if (i >= kReads / 2) sum_ms += static_cast<double>(delay.Get().count()) / 1e6;
  }
  EXPECT_NEAR(sum_ms / (kReads / 2), 190, 25);
}

TEST(HedgeDelayTest, FollowsSlowerServersSoon) {
  HedgeDelay delay;
  for (int i = 0; i < 1000; ++i) delay.Answered(milliseconds(1));
  EXPECT_EQ(delay.Get(), HedgeDelay::kShortest);
  for (int i = 0; i < 20; ++i) delay.Answered(milliseconds(200));
  EXPECT_GE(delay.Get(), milliseconds(400));
  for (int i = 0; i < 1000; ++i) delay.Answered(milliseconds(1));
  EXPECT_EQ(delay.Get(), HedgeDelay::kShortest);
}

TEST(HedgeDelayTest, StaysWithinItsLimits) {
  HedgeDelay delay;
  for (int i = 0; i < 1000; ++i) delay.Answered(std::chrono::minutes(1));
  EXPECT_EQ(delay.Get(), HedgeDelay::kLongest);
}

TEST(HedgeBudgetTest, IsABurstAndThenOneInTwenty) {
  HedgeBudget budget;
  int hedged = 0;
  for (int i = 0; i < HedgeBudget::kBurst; ++i) hedged += budget.Spend();
  EXPECT_EQ(hedged, HedgeBudget::kBurst);
  EXPECT_FALSE(budget.Spend());
  for (int i = 0; i < 1000; ++i) {
    budget.Earn();
    hedged += budget.Spend();
  }
  EXPECT_EQ(hedged, HedgeBudget::kBurst + 1000 / HedgeBudget::kReadsPerHedge);
}

TEST(HedgeBudgetTest, DoesNotGrowForEver) {
  HedgeBudget budget;
  for (int i = 0; i < 100'000; ++i) budget.Earn();
  int hedged = 0;
  while (budget.Spend()) ++hedged;
  EXPECT_EQ(hedged, HedgeBudget::kBurst);
}

}  // namespace
}  // namespace gabion
