// A disk that is full, and what makes it less full.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/chunkserver/store/sim_store.h"

namespace gabion {
namespace {

constexpr std::uint32_t kBlock = kBlockBytes;
constexpr std::uint32_t kMegabyte = kMiB;
constexpr std::uint64_t kCapacity = 24 * kMiB;
constexpr std::uint64_t kEmergency = kCapacity / 64;

class SpaceTest : public testing::Test {
 protected:
  void TearDown() override { s.CheckIndex(); }

  /// Chunks of one megabyte, from `first` on, until the store is full; how many there are.
  std::uint64_t Fill(std::uint64_t first = 1) {
    for (std::uint64_t i = first;; ++i) {
      Result<void> written = s.Write(ChunkId(i), 0, Pattern(i, kMegabyte));
      if (written) continue;
      ExpectFull(written);
      return i - first;
    }
  }
  /// The same with blocks of one chunk: until not one more fits.
  void FillToTheLastBlock(ChunkId chunk) {
    std::uint32_t at = 0;
    Result<void> written;
    for (; written; at += kBlock) written = s.Write(chunk, at, Pattern(at, kBlock));
    ExpectFull(written);
  }
  static void ExpectFull(const Result<void>& written) {
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().code(), ErrorCode::kNoSpace);
    EXPECT_THAT(written.error().message(), testing::HasSubstr("store disk is full"));
  }
  Result<void> Resync(ChunkId chunk, std::uint32_t offset_bytes, std::string_view bytes) {
    ChunkWrite write = MakeWrite(chunk, offset_bytes, bytes);
    write.resync = true;
    write.may_spend_reserve = true;
    return s.Run(s.store().Write(std::move(write)));
  }
  std::uint64_t SetAside() { return s.platter().taken_bytes() - s.platter().used_bytes(); }
  void VerifyAll(std::uint64_t chunks) {
    for (std::uint64_t i = 1; i <= chunks; ++i) ASSERT_EQ(s.MustRead(ChunkId(i), 0, kMegabyte), Pattern(i, kMegabyte));
  }

  SimStore s{1, SmallStoreOptions(), kCapacity};
};

TEST_F(SpaceTest, FullDiskRefusesWritesAndLosesNothing) {
  std::uint64_t chunks = Fill();
  EXPECT_GE(chunks, 18u);
  EXPECT_LE(s.platter().used_bytes(), kCapacity - 4 * kMiB) << "room for the index";
  EXPECT_EQ(s.Write(ChunkId(1), 0, Pattern(99, kMegabyte)).error().code(), ErrorCode::kNoSpace);
  EXPECT_EQ(s.Write(ChunkId(1), 5, Pattern(99, kMegabyte - 5), true).error().code(), ErrorCode::kNoSpace);
  EXPECT_FALSE(s.store().core().has_space());
  EXPECT_FALSE(s.store().core().offline_reason().has_value());
  VerifyAll(chunks);
  s.LosePowerAndRestart();
  EXPECT_EQ(s.Write(ChunkId(500), 0, Pattern(99, kMegabyte)).error().code(), ErrorCode::kNoSpace);
}

TEST_F(SpaceTest, WhatMakesCopiesEqualHasRoomWhateverElseFillsTheDisk) {
  s.MustWrite(ChunkId(1), 0, Pattern(1, kMegabyte));
  EXPECT_EQ(SetAside(), kEmergency);
  s.platter().FillUp();
  EXPECT_EQ(s.Write(ChunkId(2), 0, Pattern(2, kMegabyte)).error().code(), ErrorCode::kNoSpace);
  for (std::uint32_t at = 0; at < kEmergency; at += kBlock) {
    ASSERT_TRUE(Resync(ChunkId(2), at, Pattern(at, kBlock)).has_value()) << at;
  }
  ExpectFull(Resync(ChunkId(2), kEmergency, Pattern(2, kBlock)));
  EXPECT_EQ(SetAside(), 0u);
  for (std::uint32_t at = 0; at < kEmergency; at += kBlock) {
    ASSERT_EQ(s.MustRead(ChunkId(2), at, kBlock), Pattern(at, kBlock));
  }
  s.platter().options().capacity_bytes = kCapacity;
  s.MustWrite(ChunkId(3), 0, Pattern(3, kMegabyte));
  s.world().RunFor(std::chrono::seconds(20));
  EXPECT_EQ(SetAside(), kEmergency) << "for the next time";
}

TEST_F(SpaceTest, RefusedChunkIsNotThere) {
  std::uint64_t chunks = Fill();
  EXPECT_FALSE(s.MustStat(ChunkId(chunks + 1)).has_value());
  EXPECT_EQ(s.store().core().usage().chunks, chunks);
}

TEST_F(SpaceTest, RemovedChunkMakesRoomAtOnce) {
  std::uint64_t chunks = Fill();
  ASSERT_TRUE(s.Remove(ChunkId(3)).has_value());
  s.MustWrite(ChunkId(chunks + 1), 0, Pattern(chunks + 1, kMegabyte));
  EXPECT_EQ(s.MustRead(ChunkId(3), 0, kMegabyte), std::string(kMegabyte, '\0'));
  for (std::uint64_t i = 4; i <= chunks + 1; ++i) {
    ASSERT_EQ(s.MustRead(ChunkId(i), 0, kMegabyte), Pattern(i, kMegabyte));
  }
}

TEST_F(SpaceTest, ScatteredBlocksMakeRoomToo) {
  std::uint64_t chunks = Fill();
  // Every second block of four chunks: no run is worth punching, until nothing else is left.
  for (std::uint64_t i = 1; i <= 4; ++i) {
    for (std::uint32_t at = 0; at < kMegabyte; at += 2 * kBlock)
      ASSERT_TRUE(s.Zero(ChunkId(i), at, kBlock).has_value());
  }
  std::string bytes = Pattern(77, 3 * kMegabyte / 2);
  s.MustWrite(ChunkId(chunks + 1), 0, bytes);
  EXPECT_EQ(s.MustRead(ChunkId(chunks + 1), 0, bytes.size()), bytes);
  for (std::uint64_t i = 5; i <= chunks; ++i) ASSERT_EQ(s.MustRead(ChunkId(i), 0, kMegabyte), Pattern(i, kMegabyte));
}

TEST_F(SpaceTest, TrimWorksOnAFullDisk) {
  Fill();
  ASSERT_TRUE(s.Trim(ChunkId(2), 100'001, 1).has_value());
  EXPECT_EQ(s.MustRead(ChunkId(2), 0, 200'000), Pattern(2, kMegabyte).substr(0, 100'001) + std::string(99'999, '\0'));
  s.MustWrite(ChunkId(400), 0, Pattern(1, kMegabyte / 2));
}

TEST_F(SpaceTest, FreedSpaceGoesBackToTheHost) {
  std::uint64_t chunks = Fill();
  for (std::uint64_t i = 1; i <= chunks; ++i) ASSERT_TRUE(s.Remove(ChunkId(i)).has_value());
  s.Settle();
  EXPECT_EQ(s.platter().used_bytes(), 0u);
  EXPECT_EQ(s.used_blocks(), 0u);
  EXPECT_EQ(Fill(chunks + 1), chunks) << "nothing leaked";
}

TEST_F(SpaceTest, SpaceFreedByAnEarlierProcessGoesBackToo) {
  std::uint64_t chunks = Fill();
  for (std::uint64_t i = 1; i <= chunks; ++i) ASSERT_TRUE(s.Remove(ChunkId(i)).has_value());
  s.MustSync();
  s.KillAndRestart();
  s.Settle();
  EXPECT_EQ(s.platter().used_bytes(), 0u);
}

TEST_F(SpaceTest, DiskThatOthersFillIsJustFull) {
  s.MustWrite(ChunkId(1), 0, Pattern(1, kMegabyte));
  s.platter().FillUp();
  // The store does not know yet, and hears it from the write itself.
  Result<void> written = s.Write(ChunkId(2), 0, Pattern(2, kMegabyte));
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code(), ErrorCode::kNoSpace);
  EXPECT_FALSE(s.store().core().offline_reason().has_value());
  s.platter().options().capacity_bytes = kCapacity;
  s.Settle();
  s.MustWrite(ChunkId(2), 0, Pattern(2, kMegabyte));
  VerifyAll(2);
}

TEST_F(SpaceTest, UsageFollows) {
  EXPECT_TRUE(s.store().core().has_space());
  s.MustWrite(ChunkId(1), 0, Pattern(1, kMegabyte));
  s.Settle();
  StoreCore::Usage usage = s.store().core().usage();
  EXPECT_EQ(usage.used_bytes, kMegabyte);
  EXPECT_EQ(usage.capacity_bytes, kCapacity - 4 * kMiB - kEmergency);
  EXPECT_EQ(usage.chunks, 1u);
}

TEST_F(SpaceTest, LastOfTheSpaceIsForResyncOnly) {
  FillToTheLastBlock(ChunkId(1));
  EXPECT_EQ(s.store().core().usage().capacity_bytes, s.store().core().usage().used_bytes);
  std::uint32_t blocks = 0;
  Result<void> written;
  for (; written; ++blocks) written = Resync(ChunkId(2), blocks * kBlock, Pattern(blocks, kBlock));
  ExpectFull(written);
  EXPECT_EQ(blocks - 1, kEmergency / kBlock);
  ExpectFull(s.Write(ChunkId(3), 0, Pattern(3, kBlock)));
  EXPECT_EQ(s.store().core().usage().capacity_bytes, s.store().core().usage().used_bytes);
  EXPECT_LE(s.platter().used_bytes(), kCapacity - 4 * kMiB) << "room for the index";
}

TEST_F(SpaceTest, AdoptCutsWhereNothingElseFits) {
  s.options().inline_blocks_max = 0;  // so that what is left of a block needs one
  s.Restart();
  s.MustWrite(ChunkId(1), 0, Pattern(1, kMegabyte));
  FillToTheLastBlock(ChunkId(2));
  AdoptChunk adopt;
  adopt.chunk = ChunkId(1);
  adopt.exists = true;
  adopt.length_bytes = kMegabyte - 100;
  ASSERT_TRUE(s.Adopt(adopt).has_value());
  EXPECT_EQ(s.MustRead(ChunkId(1), 0, kMegabyte),
            Pattern(1, kMegabyte).substr(0, kMegabyte - 100) + std::string(100, '\0'));
}

TEST_F(SpaceTest, ResyncZeroesPartsOfBlocksWhereNothingElseFits) {
  s.MustWrite(ChunkId(1), 0, Pattern(1, kMegabyte));
  FillToTheLastBlock(ChunkId(2));
  ChunkZero zero;
  zero.chunk = ChunkId(1);
  zero.length_bytes = 10;
  EXPECT_EQ(s.Run(s.store().Zero(zero)).error().code(), ErrorCode::kNoSpace);
  zero.resync = true;
  zero.may_spend_reserve = true;
  ASSERT_TRUE(s.Run(s.store().Zero(zero)).has_value());
  EXPECT_EQ(s.MustRead(ChunkId(1), 0, 10), std::string(10, '\0'));
}

}  // namespace
}  // namespace gabion
