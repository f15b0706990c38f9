#include "cli/duration.h"

#include <gtest/gtest.h>

#include "tests/unit/code_of.h"

namespace gabion {
namespace {

using std::chrono::seconds;

TEST(DurationTest, ANumberAndItsUnit) {
  EXPECT_EQ(*ParseDuration("90s"), seconds(90));
  EXPECT_EQ(*ParseDuration("30m"), seconds(1800));
  EXPECT_EQ(*ParseDuration("30min"), seconds(1800));
  EXPECT_EQ(*ParseDuration("2h"), seconds(7200));
  EXPECT_EQ(*ParseDuration("7d"), seconds(7 * 86'400));
  EXPECT_EQ(*ParseDuration("4294967295d"), seconds(4'294'967'295 * 86'400));
}

TEST(DurationTest, AnythingElseIsRefused) {
  for (const char* text : {"", "5", "h", "-1h", "1.5h", "1 h", "1w", "2h30m", "4294967296s", "99999999999999999999s"})
    EXPECT_EQ(CodeOf(ParseDuration(text)), ErrorCode::kInvalidArgument) << text;
}

}  // namespace
}  // namespace gabion
