// Chunks that become what their group's primary says.
#include <gtest/gtest.h>

#include "tests/unit/chunkserver/store/sim_store.h"

namespace gabion {
namespace {

constexpr PgId kPg{7};
constexpr ChunkId kChunk{1};
constexpr std::uint32_t kBlock = kBlockBytes;
constexpr std::uint32_t kMegabyte = kMiB;

class AdoptTest : public testing::Test {
 protected:
  void TearDown() override { s.CheckIndex(); }

  static AdoptChunk OfLength(std::uint32_t length_bytes) {
    AdoptChunk adopt;
    adopt.chunk = kChunk;
    adopt.pg = kPg;
    adopt.epoch = Epoch(9);
    adopt.exists = true;
    adopt.length_bytes = length_bytes;
    adopt.trim_generation = 4;
    return adopt;
  }
  static AdoptChunk Gone() {
    AdoptChunk adopt;
    adopt.chunk = kChunk;
    return adopt;
  }

  SimStore s{1};
};

TEST_F(AdoptTest, MakesAChunk) {
  ASSERT_TRUE(s.Adopt(OfLength(3 * kBlock + 5)).has_value());
  std::optional<ChunkStat> stat = s.MustStat(kChunk);
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->record, (ChunkRecord{kPg, Epoch(9), 3 * kBlock + 5, 4}));
  EXPECT_FALSE(s.store().IsUnsettled(kPg, kChunk));
  EXPECT_EQ(s.MustRead(kChunk, 0, 3 * kBlock + 5), std::string(3 * kBlock + 5, '\0'));
}

TEST_F(AdoptTest, GrowsAndKeepsTheBytes) {
  s.MustWrite(kChunk, 0, Pattern(1, 5000));
  ASSERT_TRUE(s.Adopt(OfLength(64 * kMegabyte)).has_value());
  EXPECT_EQ(s.MustStat(kChunk)->record.length_bytes, 64 * kMegabyte);
  std::string expected = Pattern(1, 5000);
  expected.resize(100'000, '\0');
  EXPECT_EQ(s.MustRead(kChunk, 0, expected.size()), expected);
}

TEST_F(AdoptTest, ShrinksAndForgetsTheRest) {
  std::string bytes = Pattern(1, 40 * kBlock);
  s.MustWrite(kChunk, 0, bytes);
  s.MustWrite(kChunk, 30 * kBlock, Pattern(2, kBlock), true);  // in the index
  ASSERT_TRUE(s.Adopt(OfLength(5 * kBlock + 10)).has_value());
  EXPECT_EQ(s.MustStat(kChunk)->record.length_bytes, 5 * kBlock + 10);
  ASSERT_TRUE(s.Adopt(OfLength(40 * kBlock)).has_value());
  bytes.resize(5 * kBlock + 10);
  bytes.resize(40 * kBlock, '\0');
  EXPECT_EQ(s.MustRead(kChunk, 0, bytes.size()), bytes) << "what was cut off stays away";
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 6u);
}

TEST_F(AdoptTest, ShrinksInSteps) {
  for (std::uint32_t at = 0; at < 24; at += 4) s.MustWrite(kChunk, at * kMegabyte + 100, Pattern(at, 4 * kMegabyte));
  ASSERT_TRUE(s.Adopt(OfLength(1000)).has_value());
  EXPECT_EQ(s.MustStat(kChunk)->record, (ChunkRecord{kPg, Epoch(9), 1000, 4}));
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 1u);
}

TEST_F(AdoptTest, TrimGenerationMayGoDownAndTheEpochNot) {
  s.MustWrite(kChunk, 0, Pattern(1, 100));
  ASSERT_TRUE(s.Trim(kChunk, 50, 10).has_value());
  AdoptChunk adopt = OfLength(50);
  adopt.epoch = Epoch(2);
  ASSERT_TRUE(s.Adopt(adopt).has_value());
  EXPECT_EQ(s.MustStat(kChunk)->record, (ChunkRecord{kPg, Epoch(5), 50, 4}));
  ASSERT_TRUE(s.Trim(kChunk, 20, 5).has_value());
  EXPECT_EQ(s.MustStat(kChunk)->record.length_bytes, 20u) << "a later trim than the one adopted";
}

TEST_F(AdoptTest, MarksAsUnsettledIfTold) {
  s.MustWrite(kChunk, 0, Pattern(1, 100));
  s.MustClearUnsettled({kChunk});
  ASSERT_TRUE(s.Adopt(OfLength(100)).has_value());
  EXPECT_FALSE(s.store().IsUnsettled(kPg, kChunk));
  AdoptChunk adopt = OfLength(100);
  adopt.unsettled = true;
  ASSERT_TRUE(s.Adopt(adopt).has_value());
  EXPECT_TRUE(s.store().IsUnsettled(kPg, kChunk));
  ASSERT_TRUE(s.Adopt(OfLength(100)).has_value());
  EXPECT_TRUE(s.store().IsUnsettled(kPg, kChunk)) << "only ClearUnsettled takes it out";
}

TEST_F(AdoptTest, RemovesWhatDoesNotExist) {
  s.MustWrite(kChunk, 0, Pattern(1, 10 * kBlock));
  ASSERT_TRUE(s.Adopt(Gone()).has_value());
  EXPECT_FALSE(s.MustStat(kChunk).has_value());
  EXPECT_FALSE(s.store().IsUnsettled(kPg, kChunk));
  EXPECT_EQ(s.Write(kChunk, 0, "late").error().code(), ErrorCode::kStale);
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 0u);
}

TEST_F(AdoptTest, WhatMayReturnLeavesNoTombstone) {
  s.MustWrite(kChunk, 0, Pattern(1, 10 * kBlock));
  AdoptChunk adopt = Gone();
  adopt.may_return = true;
  ASSERT_TRUE(s.Adopt(adopt).has_value());
  EXPECT_FALSE(s.MustStat(kChunk).has_value());
  s.MustWrite(kChunk, kBlock, "sent again");
  EXPECT_EQ(s.MustRead(kChunk, 0, kBlock), std::string(kBlock, '\0'));
  EXPECT_EQ(s.MustRead(kChunk, kBlock, 10), "sent again");
}

TEST_F(AdoptTest, SurvivesAKillAndAfterASyncPowerLoss) {
  s.MustWrite(kChunk, 0, Pattern(1, 10 * kBlock));
  AdoptChunk adopt = OfLength(2 * kBlock + 7);
  adopt.unsettled = true;
  ASSERT_TRUE(s.Adopt(adopt).has_value());
  for (bool power_loss : {false, true}) {
    if (power_loss) {
      s.MustSync();
      s.LosePowerAndRestart();
    } else {
      s.KillAndRestart();
    }
    EXPECT_EQ(s.MustStat(kChunk)->record, (ChunkRecord{kPg, Epoch(9), 2 * kBlock + 7, 4}));
    EXPECT_TRUE(s.store().IsUnsettled(kPg, kChunk));
    EXPECT_EQ(s.MustRead(kChunk, 0, 2 * kBlock + 7), Pattern(1, 10 * kBlock).substr(0, 2 * kBlock + 7));
  }
}

TEST_F(AdoptTest, MoreThanAChunkIsRefused) {
  EXPECT_EQ(s.Adopt(OfLength(64 * kMegabyte + 1)).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_FALSE(s.MustStat(kChunk).has_value());
}

}  // namespace
}  // namespace gabion
