#include "metaserver/session/id_ranges.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

TEST(IdRangesTest, ContainsWhatWasAdded) {
  IdRanges ranges;
  EXPECT_FALSE(ranges.Contains(0));
  ranges.Add(100, 10);
  ranges.Add(200, 1);
  for (std::uint64_t id : {100, 105, 109, 200}) EXPECT_TRUE(ranges.Contains(id)) << id;
  for (std::uint64_t id : {0, 99, 110, 199, 201}) EXPECT_FALSE(ranges.Contains(id)) << id;
}

TEST(IdRangesTest, ARangeThatTouchesTheNewestLengthensIt) {
  IdRanges ranges;
  ranges.Add(100, 10);
  ranges.Add(110, 10);
  ranges.Add(0, 0);
  EXPECT_EQ(ranges.size(), 1u);
  EXPECT_TRUE(ranges.Contains(119));
}

TEST(IdRangesTest, SurvivesTheStore) {
  IdRanges ranges;
  ranges.Add(100, 10);
  ranges.Add(500, 5);
  records::Session record;
  ranges.Store(record.mutable_inos());
  const IdRanges back(record.inos());
  EXPECT_EQ(back.size(), 2u);
  EXPECT_TRUE(back.Contains(504));
  EXPECT_FALSE(back.Contains(505));
}

TEST(IdRangesTest, ForgetsTheOldestWhenThereAreTooMany) {
  IdRanges ranges;
  for (std::uint64_t i = 0; i <= IdRanges::kMaxRanges; ++i) ranges.Add(10 + 10 * i, 1);
  EXPECT_EQ(ranges.size(), IdRanges::kMaxRanges);
  EXPECT_FALSE(ranges.Contains(10));
  EXPECT_TRUE(ranges.Contains(20));
}

}  // namespace
}  // namespace gabion
