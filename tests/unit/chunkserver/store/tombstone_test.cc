// Chunks that were removed stay away, for a while.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chunkserver/store/index_key.h"
#include "tests/unit/chunkserver/store/sim_store.h"

namespace gabion {
namespace {

constexpr ChunkId kChunk{1};
constexpr ChunkId kOther{2};
constexpr std::uint32_t kBlock = kBlockBytes;

class TombstoneStoreTest : public testing::Test {
 protected:
  void TearDown() override { s.CheckIndex(); }

  void ExpectRefused(ChunkId chunk) {
    AdoptChunk adopt;
    adopt.chunk = chunk;
    adopt.exists = true;
    for (const Result<void>& result : {s.Write(chunk, 0, "late"), s.Write(chunk, 0, "late", true), s.Trim(chunk, 0, 9),
                                       s.Copy(kOther, 0, chunk, 0, 10), s.Adopt(adopt)}) {
      ASSERT_FALSE(result.has_value());
      EXPECT_EQ(result.error().code(), ErrorCode::kStale);
      EXPECT_EQ(result.error().message(), "chunk " + ToString(chunk) + " was removed with its file");
    }
    EXPECT_TRUE(s.Zero(chunk, 0, 10).has_value()) << "which it is";
    EXPECT_FALSE(s.MustStat(chunk).has_value());
  }
  std::size_t Tombstones() {
    std::size_t count = 0;
    MemoryKv& index = s.machine().kv("index");
    bool cold = std::exchange(s.index().options().cold, false);
    Result<void> scanned = index.Scan("X", "Y", [&](std::string_view, std::string_view) { return ++count > 0; });
    CHECK(scanned.has_value());
    s.index().options().cold = cold;
    return count;
  }

  SimStore s{1};
};

TEST_F(TombstoneStoreTest, RefusesWhatWouldBringAChunkBack) {
  s.MustWrite(kOther, 0, Pattern(2, kBlock));
  s.MustWrite(kChunk, 0, Pattern(1, 3 * kBlock));
  ASSERT_TRUE(s.Remove(kChunk).has_value());
  std::uint64_t used = s.used_blocks();
  ExpectRefused(kChunk);
  EXPECT_EQ(s.used_blocks(), used) << "blocks of a refused write are free again";
  EXPECT_EQ(s.store().core().usage().chunks, 1u);
  ASSERT_TRUE(s.Remove(kChunk).has_value()) << "twice is fine";
  s.MustWrite(kOther, 0, "others go on");
}

TEST_F(TombstoneStoreTest, ChunkThatWasNeverWrittenLeavesOneToo) {
  s.MustWrite(kOther, 0, Pattern(2, kBlock));
  ASSERT_TRUE(s.Remove(kChunk).has_value());
  ExpectRefused(kChunk);
  EXPECT_EQ(s.store().core().usage().chunks, 1u);
}

TEST_F(TombstoneStoreTest, SurvivesAKillAndAfterASyncPowerLoss) {
  s.MustWrite(kOther, 0, Pattern(2, kBlock));
  ASSERT_TRUE(s.Remove(kChunk).has_value());
  s.KillAndRestart();
  ExpectRefused(kChunk);
  s.MustSync();
  s.LosePowerAndRestart();
  ExpectRefused(kChunk);
}

TEST_F(TombstoneStoreTest, IsFoundInAColdIndex) {
  s.MustWrite(kOther, 0, Pattern(2, kBlock));
  ASSERT_TRUE(s.Remove(kChunk).has_value());
  s.index().options().cold = true;
  s.index().Cool();
  ExpectRefused(kChunk);
  s.MustWrite(ChunkId(3), 0, "new");
}

TEST_F(TombstoneStoreTest, GoesAfterAnHour) {
  s.MustWrite(kOther, 0, Pattern(2, kBlock));
  ASSERT_TRUE(s.Remove(kChunk).has_value());
  s.world().RunFor(std::chrono::minutes(59));
  ExpectRefused(kChunk);
  s.world().RunFor(std::chrono::minutes(2));
  EXPECT_EQ(Tombstones(), 0u);
  s.MustWrite(kChunk, 0, "anew");
}

TEST_F(TombstoneStoreTest, ManyGoInManyTurns) {
  s.index().options().cold = true;
  for (std::uint64_t chunk = 1; chunk <= 3000; ++chunk) ASSERT_TRUE(s.Remove(ChunkId(chunk)).has_value());
  s.index().Cool();
  EXPECT_EQ(Tombstones(), 3000u);
  s.world().RunFor(std::chrono::hours(1) + std::chrono::seconds(10));
  EXPECT_EQ(Tombstones(), 0u);
}

TEST_F(TombstoneStoreTest, ClockThatGoesBackKeepsNoneForever) {
  s.MustWrite(kOther, 0, Pattern(2, kBlock));
  s.machine().clock().SetWallOffset(std::chrono::hours(24 * 365));
  ASSERT_TRUE(s.Remove(kChunk).has_value());
  s.machine().clock().SetWallOffset(Duration(0));
  s.world().RunFor(std::chrono::minutes(59));
  ExpectRefused(kChunk);
  s.world().RunFor(std::chrono::minutes(2));
  s.MustWrite(kChunk, 0, "anew");
}

TEST_F(TombstoneStoreTest, KeptAsLongAsTold) {
  s.options().tombstone_keep = std::chrono::seconds(30);
  s.Restart();
  s.MustWrite(kOther, 0, Pattern(2, kBlock));
  ASSERT_TRUE(s.Remove(kChunk).has_value());
  s.world().RunFor(std::chrono::seconds(28));
  ExpectRefused(kChunk);
  s.world().RunFor(std::chrono::seconds(5));
  s.MustWrite(kChunk, 0, "anew");
}

}  // namespace
}  // namespace gabion
