#include "fs-client/session/op_tracker.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

TEST(OpTrackerTest, NumbersFromOneUp) {
  OpTracker ops;
  EXPECT_EQ(ops.acked_below(), OpSeq(1));
  EXPECT_EQ(ops.Begin(), OpSeq(1));
  EXPECT_EQ(ops.Begin(), OpSeq(2));
}

TEST(OpTrackerTest, AcknowledgesOnlyWhatHasNoGapBelow) {
  OpTracker ops;
  OpSeq first = ops.Begin();
  OpSeq second = ops.Begin();
  OpSeq third = ops.Begin();
  ops.End(second);
  EXPECT_EQ(ops.acked_below(), first);
  ops.End(first);
  EXPECT_EQ(ops.acked_below(), third);
  ops.End(third);
  EXPECT_EQ(ops.acked_below(), OpSeq(4));
  EXPECT_EQ(ops.Begin(), OpSeq(4));
}

}  // namespace
}  // namespace gabion
