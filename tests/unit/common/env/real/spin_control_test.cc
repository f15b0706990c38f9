#include "common/env/real/spin_control.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Duration kLimit = microseconds(50);

class SpinControlTest : public testing::Test {
 protected:
  /// Work, then a spin in vain, then a sleep of `pause` that work ends. Whether it did spin.
  bool Round(Duration pause) {
    control_.FoundWork(now_);
    const bool spun = control_.Spinning(now_ + microseconds(1));
    now_ = now_ + kLimit;
    EXPECT_FALSE(control_.Spinning(now_)) << "never longer than the limit";
    control_.Slept(now_, now_ + pause);
    now_ = now_ + pause;
    return spun;
  }

  SpinControl control_{kLimit};
  TimePoint now_{1'000'000};
};

TEST_F(SpinControlTest, NeverBeforeThereWasWork) {
  EXPECT_FALSE(control_.Spinning(now_));
}

TEST_F(SpinControlTest, SpinsAfterWorkUpToTheLimit) {
  control_.FoundWork(now_);
  EXPECT_TRUE(control_.Spinning(now_));
  EXPECT_TRUE(control_.Spinning(now_ + kLimit - microseconds(1)));
  EXPECT_FALSE(control_.Spinning(now_ + kLimit));
  EXPECT_FALSE(control_.Spinning(now_ + kLimit + microseconds(1))) << "until there is work again";
}

TEST_F(SpinControlTest, GivesUpWherePausesAreLong) {
  int spins = 0;
  for (int i = 0; i < 100; ++i) spins += Round(milliseconds(1)) ? 1 : 0;
  EXPECT_LE(spins, 10);
  EXPECT_FALSE(Round(milliseconds(1)));
}

TEST_F(SpinControlTest, BeginsAgainWherePausesBecomeShort) {
  for (int i = 0; i < 100; ++i) Round(milliseconds(1));
  ASSERT_FALSE(Round(microseconds(10)));
  EXPECT_TRUE(Round(microseconds(10)));
}

TEST(SpinControlOffTest, LimitZeroNeverSpins) {
  SpinControl control{Duration(0)};
  control.FoundWork({1000});
  EXPECT_FALSE(control.Spinning({1000}));
  control.Slept({1000}, {1001});
  EXPECT_FALSE(control.Spinning({1001}));
}

}  // namespace
}  // namespace gabion
