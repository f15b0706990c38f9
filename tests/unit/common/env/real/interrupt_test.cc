#include "common/env/real/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

TEST(InterruptTest, ASignalEndsTheWaitAndNotTheProcess) {
  Interrupt interrupt;
  EXPECT_FALSE(interrupt.Wait(milliseconds(1)));
  ASSERT_EQ(::raise(SIGINT), 0);
  EXPECT_TRUE(interrupt.Wait(minutes(10)));
  EXPECT_FALSE(interrupt.Wait(milliseconds(1))) << "once for each time";
  ASSERT_EQ(::raise(SIGINT), 0);
  EXPECT_TRUE(interrupt.Wait(minutes(10)));
}

TEST(InterruptTest, AfterwardsTheSignalEndsTheProcessAgain) {
  { const Interrupt interrupt; }
  EXPECT_EXIT(::raise(SIGINT), testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace gabion
