#include "cli/output/format.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace gabion {
namespace {

TEST(FormatTest, BytesTakeTheUnitThatFits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(150 * 1024), "150 KiB");
  EXPECT_EQ(FormatBytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(FormatBytes(std::uint64_t{1} << 40), "1.0 TiB");
  EXPECT_EQ(FormatBytes(UINT64_MAX), "16.0 EiB");
}

TEST(FormatTest, CountsAreGroupedByThousands) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatCount(UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(FormatTest, NounFollowsTheNumber) {
  EXPECT_EQ(FormatCountOf(0, "server"), "0 servers");
  EXPECT_EQ(FormatCountOf(1, "server"), "1 server");
  EXPECT_EQ(FormatCountOf(1000, "server"), "1,000 servers");
}

TEST(FormatTest, AgeNamesTwoUnits) {
  EXPECT_EQ(FormatAge(0), "0 s");
  EXPECT_EQ(FormatAge(59), "59 s");
  EXPECT_EQ(FormatAge(303), "5 min 3 s");
  EXPECT_EQ(FormatAge(2 * 3600 + 10 * 60 + 5), "2 h 10 min");
  EXPECT_EQ(FormatAge(3 * 86400 + 4 * 3600), "3 d 4 h");
}

TEST(FormatTest, UtcOfKnownMoments) {
  EXPECT_EQ(FormatUtc(0), "1970-01-01 00:00:00 UTC");
  EXPECT_EQ(FormatUtc(951'782'400'123'456'789), "2000-02-29 00:00:00 UTC");
  EXPECT_EQ(FormatUtc(-1), "1969-12-31 23:59:59 UTC");
}

TEST(FormatTest, UtcOfTheLimitsDoesNotOverflow) {
  EXPECT_EQ(FormatUtc(INT64_MAX), "2262-04-11 23:47:16 UTC");
  EXPECT_EQ(FormatUtc(INT64_MIN), "1677-09-21 00:12:43 UTC");
}

TEST(FormatTest, ShareIsNeverRoundedToNothing) {
  EXPECT_EQ(FormatShare(0, 0), "0 %");
  EXPECT_EQ(FormatShare(0, 10), "0 %");
  EXPECT_EQ(FormatShare(1, 1000), "<1 %");
  EXPECT_EQ(FormatShare(999, 1000), "99 %");
  EXPECT_EQ(FormatShare(10, 10), "100 %");
}

}  // namespace
}  // namespace gabion
