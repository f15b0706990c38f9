#include "fs-client/lease/running_time.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

using std::chrono::milliseconds;

constexpr TimePoint kStart{1'000'000'000'000};

TEST(RunningTimeTest, IsTheTimeWhileItIsToldOfIt) {
  RunningTime running;
  EXPECT_EQ(running.At(kStart), kStart);
  TimePoint now = kStart;
  for (int i = 0; i < 10; ++i) {
    now = now + RunningTime::kStandstill;
    EXPECT_EQ(running.At(now), now);
  }
}

TEST(RunningTimeTest, DoesNotGoOnWhileTheMachineStandsStill) {
  RunningTime running;
  (void)running.At(kStart);
  EXPECT_EQ(running.At(kStart + milliseconds(1500)), kStart);
  EXPECT_EQ(running.At(kStart + milliseconds(1510)), kStart + milliseconds(10));
}

TEST(RunningTimeTest, TakesTimesOfSeveralThreadsInAnyOrder) {
  RunningTime running;
  (void)running.At(kStart + milliseconds(1));
  EXPECT_EQ(running.At(kStart), kStart);
  EXPECT_EQ(running.At(kStart + milliseconds(2)), kStart + milliseconds(2));
}

}  // namespace
}  // namespace gabion
