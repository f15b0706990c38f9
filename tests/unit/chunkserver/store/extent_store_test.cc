#include "chunkserver/store/extent_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/chunkserver/store/sim_store.h"

namespace gabion {
namespace {

constexpr ChunkId kChunk{1};
constexpr ChunkId kOther{2};
constexpr std::uint32_t kBlock = kBlockBytes;
constexpr std::uint32_t kPage = kPageBytes;
constexpr std::uint32_t kMegabyte = kMiB;

// Every test ends with an index that is whole.
class ExtentStoreTest : public testing::Test {
 protected:
  void TearDown() override { s.CheckIndex(); }

  SimStore s{1};
};

TEST_F(ExtentStoreTest, ReadsWhatWasWritten) {
  std::string bytes = Pattern(1, 300 * 1000);
  s.MustWrite(kChunk, 0, bytes);
  EXPECT_EQ(s.MustRead(kChunk, 0, bytes.size()), bytes);
  EXPECT_EQ(s.MustRead(kChunk, 100'000, 5000), bytes.substr(100'000, 5000));
}

TEST_F(ExtentStoreTest, ReadEndsWithTheChunksLastBlock) {
  s.MustWrite(kChunk, 0, Pattern(1, kBlock + 1));
  Result<ChunkRead> read = s.Run(s.store().Read(kChunk, 0, kPage));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->payload.size(), 2 * kBlock);
  EXPECT_EQ(read->checksums.size(), 2u);
  read = s.Run(s.store().Read(kChunk, kPage, kPage));
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->payload.empty());
}

TEST_F(ExtentStoreTest, ChunkThatWasNeverWrittenIsEmpty) {
  Result<ChunkRead> read = s.Run(s.store().Read(kChunk, 0, kBlock));
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->payload.empty());
  EXPECT_FALSE(s.MustStat(kChunk).has_value());
}

TEST_F(ExtentStoreTest, PartsOfBlocksAreMerged) {
  std::string bytes = Pattern(1, 5 * kBlock);
  s.MustWrite(kChunk, 0, bytes);
  struct Part {
    std::uint32_t offset_bytes;
    std::size_t length;
  };
  for (const Part& part : {Part{10, 20}, Part{kBlock - 5, 10}, Part{100, 3 * kBlock}, Part{2 * kBlock, kBlock + 1}}) {
    std::string patch = Pattern(part.offset_bytes + 2, part.length);
    s.MustWrite(kChunk, part.offset_bytes, patch);
    bytes.replace(part.offset_bytes, part.length, patch);
    EXPECT_EQ(s.MustRead(kChunk, 0, bytes.size()), bytes);
  }
}

TEST_F(ExtentStoreTest, WholeBlocksKeepTheWritersChecksum) {
  std::string bytes = Pattern(1, 2 * kBlock);
  ChunkWrite write = MakeWrite(kChunk, 0, bytes);
  std::vector<BlockChecksum> checksums = write.checksums;
  ASSERT_TRUE(s.Run(s.store().Write(std::move(write))).has_value());
  Result<ChunkRead> read = s.Run(s.store().Read(kChunk, 0, 2 * kBlock));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->checksums, checksums);
}

TEST_F(ExtentStoreTest, PayloadInSlicesIsOneWrite) {
  std::string bytes = Pattern(1, 3 * kBlock);
  ChunkWrite write = MakeWrite(kChunk, 100, bytes);
  write.payload = Payload();
  for (std::size_t at = 0; at < bytes.size(); at += 1000) {
    write.payload.Append(Slice::CopyOf(std::string_view(bytes).substr(at, 1000)));
  }
  ASSERT_TRUE(s.Run(s.store().Write(std::move(write))).has_value());
  EXPECT_EQ(s.MustRead(kChunk, 100, bytes.size()), bytes);
}

TEST_F(ExtentStoreTest, HolesReadAsZerosAndTakeNoSpace) {
  s.MustWrite(kChunk, 60 * kMegabyte, "end");
  EXPECT_EQ(s.used_blocks(), 1u);
  EXPECT_EQ(s.MustRead(kChunk, 30 * kMegabyte, 100'000), std::string(100'000, '\0'));
  EXPECT_EQ(s.MustRead(kChunk, 60 * kMegabyte, 5), std::string("end\0\0", 5));
  std::optional<ChunkStat> stat = s.MustStat(kChunk);
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->record.length_bytes, 60 * kMegabyte + 3);
  ASSERT_EQ(stat->allocated.size(), 1u);
  EXPECT_EQ(stat->allocated[0].offset_bytes, 60 * kMegabyte);
  EXPECT_EQ(stat->allocated[0].length_bytes, 3u);
}

TEST_F(ExtentStoreTest, BlocksOfZerosBecomeHoles) {
  std::string bytes = Pattern(1, kBlock) + std::string(2 * kBlock, '\0') + Pattern(2, kBlock);
  s.MustWrite(kChunk, 0, bytes);
  EXPECT_EQ(s.used_blocks(), 2u);
  EXPECT_EQ(s.MustRead(kChunk, 0, bytes.size()), bytes);
  EXPECT_EQ(s.MustStat(kChunk)->allocated.size(), 2u);
}

TEST_F(ExtentStoreTest, RecordKeepsGroupEpochAndLength) {
  s.MustWrite(kChunk, 0, Pattern(1, 100));
  ChunkWrite later = MakeWrite(kChunk, 10, "abc");
  later.epoch = Epoch(9);
  ASSERT_TRUE(s.Run(s.store().Write(std::move(later))).has_value());
  s.MustWrite(kChunk, 20, "of an older epoch");
  ChunkRecord record = s.MustStat(kChunk)->record;
  EXPECT_EQ(record.pg, PgId(7));
  EXPECT_EQ(record.last_write_epoch, Epoch(9));
  EXPECT_EQ(record.length_bytes, 100u);
}

TEST_F(ExtentStoreTest, ChunkIsFullToItsLastByte) {
  std::string bytes = Pattern(1, 4 * kMegabyte);
  s.MustWrite(kChunk, 60 * kMegabyte, bytes);
  EXPECT_EQ(s.MustRead(kChunk, 60 * kMegabyte, bytes.size()), bytes);
  EXPECT_EQ(s.MustStat(kChunk)->record.length_bytes, 64 * kMegabyte);
}

TEST_F(ExtentStoreTest, RefusesWhatIsNotInAChunk) {
  EXPECT_EQ(s.Write(kChunk, 0, "").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Write(kChunk, 0, std::string(4 * kMegabyte + 1, 'x')).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Write(kChunk, 64 * kMegabyte - 1, "xx").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Write(kChunk, UINT32_MAX, "x").error().code(), ErrorCode::kInvalidArgument);
  auto read = [&](std::uint32_t offset, std::uint32_t length) {
    return s.Run(s.store().Read(kChunk, offset, length)).error().code();
  };
  EXPECT_EQ(read(1, kBlock), ErrorCode::kInvalidArgument);
  EXPECT_EQ(read(0, 100), ErrorCode::kInvalidArgument);
  EXPECT_EQ(read(0, 0), ErrorCode::kInvalidArgument);
  EXPECT_EQ(read(0, 8 * kMegabyte), ErrorCode::kInvalidArgument);
  EXPECT_EQ(read(64 * kMegabyte, kBlock), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Zero(kChunk, 0, 0).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Zero(kChunk, 1, 64 * kMegabyte).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Zero(kChunk, UINT32_MAX, 2).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Trim(kChunk, 64 * kMegabyte + 1, 1).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Copy(kChunk, 64 * kMegabyte - 1, kOther, 0, 2).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Copy(kChunk, 0, kOther, 64 * kMegabyte - 1, 2).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Copy(kChunk, 0, kChunk, 5, 10).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(ExtentStoreTest, RefusesBytesThatDoNotFitTheirChecksums) {
  ChunkWrite write = MakeWrite(kChunk, 0, Pattern(1, 2 * kBlock));
  write.checksums[1] ^= 1;
  EXPECT_EQ(s.Run(s.store().Write(std::move(write))).error().code(), ErrorCode::kCorrupt);
  ChunkWrite with_too_few = MakeWrite(kChunk, 0, Pattern(1, 2 * kBlock));
  with_too_few.checksums.pop_back();
  EXPECT_EQ(s.Run(s.store().Write(std::move(with_too_few))).error().code(), ErrorCode::kCorrupt);
  EXPECT_FALSE(s.MustStat(kChunk).has_value());
}

TEST_F(ExtentStoreTest, DamagedBlockIsReturnedWithItsChecksumAndNotMerged) {
  s.MustWrite(kChunk, 0, Pattern(1, kBlock));
  s.platter().FlipBit("slab-000000", 100, 3);
  Result<ChunkRead> read = s.Run(s.store().Read(kChunk, 0, kBlock));
  ASSERT_TRUE(read.has_value());
  Slice bytes = read->payload.Joined();
  EXPECT_NE(ChecksumOf(bytes.span()), read->checksums[0]);
  EXPECT_EQ(s.Write(kChunk, 10, "merge").error().code(), ErrorCode::kCorrupt);
  s.MustWrite(kChunk, 0, Pattern(2, kBlock));  // a whole block heals it
  EXPECT_EQ(s.MustRead(kChunk, 0, kBlock), Pattern(2, kBlock));
}

TEST_F(ExtentStoreTest, OverwritingFreesTheOldBlocks) {
  for (int round = 0; round < 5; ++round) {
    s.MustWrite(kChunk, 0, Pattern(static_cast<std::uint64_t>(round), 10 * kPage));
    s.Settle();
    EXPECT_EQ(s.used_blocks(), 160u);
  }
}

TEST_F(ExtentStoreTest, ZeroMakesHolesAndMergesTheEdges) {
  std::string bytes = Pattern(1, 20 * kBlock);
  s.MustWrite(kChunk, 0, bytes);
  ASSERT_TRUE(s.Zero(kChunk, 100, 10 * kBlock).has_value());
  bytes.replace(100, 10 * kBlock, 10 * kBlock, '\0');
  EXPECT_EQ(s.MustRead(kChunk, 0, bytes.size()), bytes);
  EXPECT_EQ(s.MustStat(kChunk)->record.length_bytes, bytes.size());
  EXPECT_EQ(s.MustStat(kChunk)->record.last_write_epoch, Epoch(4));
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 11u);
  ASSERT_TRUE(s.Zero(kChunk, 0, 64 * kMegabyte).has_value());
  EXPECT_EQ(s.MustStat(kChunk)->record.length_bytes, bytes.size());
  EXPECT_TRUE(s.MustStat(kChunk)->allocated.empty());
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 0u);
  ASSERT_TRUE(s.Zero(kOther, 0, 100).has_value());
  EXPECT_FALSE(s.MustStat(kOther).has_value());
}

TEST_F(ExtentStoreTest, TrimForgetsTheRest) {
  std::string bytes = Pattern(1, 40 * kBlock);
  s.MustWrite(kChunk, 0, bytes);
  ASSERT_TRUE(s.Trim(kChunk, 5 * kBlock + 10, 1).has_value());
  std::string left = bytes.substr(0, 5 * kBlock + 10);
  left.resize(40 * kBlock, '\0');
  EXPECT_EQ(s.MustRead(kChunk, 0, left.size()), left);
  EXPECT_EQ(s.MustStat(kChunk)->record.length_bytes, 5 * kBlock + 10);
  s.MustWrite(kChunk, 39 * kBlock, "x");
  left[39 * kBlock] = 'x';
  EXPECT_EQ(s.MustRead(kChunk, 0, left.size()), left) << "what was cut off stays away";
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 7u);
}

TEST_F(ExtentStoreTest, LateTrimIsIgnored) {
  s.MustWrite(kChunk, 0, Pattern(1, 10 * kBlock));
  ASSERT_TRUE(s.Trim(kChunk, kBlock, 5).has_value());
  s.MustWrite(kChunk, kBlock, Pattern(2, kBlock));
  for (std::uint64_t generation : {1u, 4u, 5u}) ASSERT_TRUE(s.Trim(kChunk, 0, generation).has_value());
  EXPECT_EQ(s.MustRead(kChunk, kBlock, kBlock), Pattern(2, kBlock));
  ASSERT_TRUE(s.Trim(kChunk, 0, 6).has_value());
  EXPECT_EQ(s.MustStat(kChunk)->record.length_bytes, 0u);
  // Of a chunk that is not there the generation is kept too.
  ASSERT_TRUE(s.Trim(kOther, 0, 3).has_value());
  s.MustWrite(kOther, 0, "new");
  ASSERT_TRUE(s.Trim(kOther, 0, 3).has_value());
  EXPECT_EQ(s.MustRead(kOther, 0, 3), "new");
}

TEST_F(ExtentStoreTest, TrimBeyondTheEndChangesNothing) {
  s.MustWrite(kChunk, 0, Pattern(1, 100));
  ASSERT_TRUE(s.Trim(kChunk, 64 * kMegabyte, 1).has_value());
  EXPECT_EQ(s.MustStat(kChunk)->record.length_bytes, 100u);
  EXPECT_EQ(s.MustRead(kChunk, 0, 100), Pattern(1, 100));
}

TEST_F(ExtentStoreTest, TrimSurvivesPowerLoss) {
  s.MustWrite(kChunk, 0, Pattern(1, 40 * kBlock));
  s.MustSync();
  s.MustWrite(kChunk, 0, Pattern(2, 40 * kBlock));
  ASSERT_TRUE(s.Trim(kChunk, 3 * kBlock + 5, 1).has_value());
  s.MustWrite(kChunk, 30 * kBlock, Pattern(3, kBlock));
  s.LosePowerAndRestart();
  EXPECT_EQ(s.MustRead(kChunk, 3 * kBlock + 5, 20 * kBlock), std::string(20 * kBlock, '\0'));
  std::string last = s.MustRead(kChunk, 30 * kBlock, kBlock);
  EXPECT_TRUE(last == Pattern(3, kBlock) || last == std::string(kBlock, '\0')) << "never what was trimmed";
}

TEST_F(ExtentStoreTest, LongOperationsGoInSteps) {
  std::string bytes = Pattern(1, 4 * kMegabyte);
  for (std::uint32_t at = 0; at < 24; at += 4) s.MustWrite(kChunk, at * kMegabyte + 100, bytes);
  s.MustSync();
  ASSERT_TRUE(s.Copy(kChunk, 100, kOther, 100, 24 * kMegabyte).has_value());
  EXPECT_EQ(s.MustRead(kOther, 20 * kMegabyte + 100, 100'000), bytes.substr(0, 100'000));
  ASSERT_TRUE(s.Zero(kOther, 1, 20 * kMegabyte).has_value());
  EXPECT_EQ(s.MustRead(kOther, 19 * kMegabyte, 2 * kMegabyte),
            std::string(kMegabyte + 1, '\0') + bytes.substr(kMegabyte * 4 - 99) + bytes.substr(0, kMegabyte - 100));
  ASSERT_TRUE(s.Trim(kChunk, 1000, 1).has_value());
  EXPECT_EQ(s.MustStat(kChunk)->record.length_bytes, 1000u);
  s.CheckIndex();
  ASSERT_TRUE(s.Remove(kChunk).has_value());
  ASSERT_TRUE(s.Remove(kOther).has_value());
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 0u);
}

TEST_F(ExtentStoreTest, RemovedChunkIsGone) {
  s.MustWrite(kChunk, 0, Pattern(1, 10 * kPage));
  s.MustWrite(kOther, 0, Pattern(2, kBlock));
  EXPECT_EQ(s.store().core().usage().chunks, 2u);
  ASSERT_TRUE(s.Remove(kChunk).has_value());
  ASSERT_TRUE(s.Remove(kChunk).has_value()) << "twice is fine";
  EXPECT_FALSE(s.MustStat(kChunk).has_value());
  EXPECT_EQ(s.MustRead(kChunk, 0, kBlock), std::string(kBlock, '\0'));
  EXPECT_EQ(s.store().core().usage().chunks, 1u);
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 1u);
  s.LosePowerAndRestart();
  EXPECT_FALSE(s.MustStat(kChunk).has_value());
  EXPECT_EQ(s.MustRead(kOther, 0, kBlock), Pattern(2, kBlock));
}

TEST_F(ExtentStoreTest, CopySharesBlocksUntilOneIsOverwritten) {
  std::string bytes = Pattern(1, 20 * kBlock);
  s.MustWrite(kChunk, 0, bytes);
  ASSERT_TRUE(s.Copy(kChunk, 0, kOther, 4 * kBlock, 20 * kBlock).has_value());
  EXPECT_EQ(s.used_blocks(), 20u);
  EXPECT_EQ(s.MustRead(kOther, 4 * kBlock, bytes.size()), bytes);
  EXPECT_EQ(s.MustStat(kOther)->record.length_bytes, 24 * kBlock);
  s.CheckIndex();
  s.MustWrite(kChunk, 0, Pattern(2, 10 * kBlock));
  EXPECT_EQ(s.MustRead(kOther, 4 * kBlock, bytes.size()), bytes) << "the copy does not see it";
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 30u);
  s.CheckIndex();
  ASSERT_TRUE(s.Remove(kChunk).has_value());
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 20u);
  EXPECT_EQ(s.MustRead(kOther, 4 * kBlock, bytes.size()), bytes);
  ASSERT_TRUE(s.Remove(kOther).has_value());
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 0u);
}

TEST_F(ExtentStoreTest, CopyOfRaggedRanges) {
  std::string bytes = Pattern(1, 10 * kBlock);
  std::string target = Pattern(2, 12 * kBlock);
  s.MustWrite(kChunk, 0, bytes);
  s.MustWrite(kOther, 0, target);
  struct Case {
    std::uint32_t from, to, length;
  };
  // Alike within their blocks, with ragged edges; not alike; longer than the source.
  for (const Case& c :
       {Case{10, kBlock + 10, 3 * kBlock}, Case{7, 9, 2 * kBlock}, Case{9 * kBlock, 2 * kBlock, 5 * kBlock}}) {
    ASSERT_TRUE(s.Copy(kChunk, c.from, kOther, c.to, c.length).has_value());
    std::string part = bytes.substr(c.from, c.length);
    part.resize(c.length, '\0');
    target.replace(c.to, c.length, part);
    EXPECT_EQ(s.MustRead(kOther, 0, target.size()), target);
  }
  EXPECT_EQ(s.MustRead(kChunk, 0, bytes.size()), bytes);
}

TEST_F(ExtentStoreTest, CopyWithinAChunkEvenWithinAPage) {
  std::string bytes = Pattern(1, 16 * kBlock);
  s.MustWrite(kChunk, 0, bytes);
  ASSERT_TRUE(s.Copy(kChunk, 0, kChunk, 8 * kBlock, 4 * kBlock).has_value());
  bytes.replace(8 * kBlock, 4 * kBlock, bytes.substr(0, 4 * kBlock));
  EXPECT_EQ(s.MustRead(kChunk, 0, bytes.size()), bytes);
  ASSERT_TRUE(s.Copy(kChunk, 100, kChunk, 6 * kBlock, kBlock).has_value());
  bytes.replace(6 * kBlock, kBlock, bytes.substr(100, kBlock));
  EXPECT_EQ(s.MustRead(kChunk, 0, bytes.size()), bytes);
  ASSERT_TRUE(s.Copy(kChunk, 0, kChunk, 8 * kBlock, 4 * kBlock).has_value()) << "onto what is shared already";
  EXPECT_EQ(s.MustRead(kChunk, 0, bytes.size()), bytes);
}

TEST_F(ExtentStoreTest, CopyOfAndOntoBlocksInTheIndex) {
  s.MustWrite(kChunk, 0, Pattern(1, 4 * kBlock));
  s.MustWrite(kChunk, kBlock, Pattern(2, kBlock), true);  // in the index
  s.MustWrite(kOther, 3 * kBlock, Pattern(3, kBlock), true);
  ASSERT_TRUE(s.Copy(kChunk, 0, kOther, 0, 4 * kBlock).has_value());
  std::string expected = Pattern(1, 4 * kBlock).replace(kBlock, kBlock, Pattern(2, kBlock));
  EXPECT_EQ(s.MustRead(kOther, 0, expected.size()), expected);
  s.Settle();
  EXPECT_EQ(s.MustRead(kOther, 0, expected.size()), expected);
  EXPECT_EQ(s.MustRead(kChunk, 0, expected.size()), expected);
}

TEST_F(ExtentStoreTest, SmallDurableWritesMoveToTheSlabsLater) {
  s.MustWrite(kChunk, 0, Pattern(1, 4 * kBlock), true);
  EXPECT_EQ(s.used_blocks(), 0u) << "in the index";
  EXPECT_EQ(s.MustRead(kChunk, 0, 4 * kBlock), Pattern(1, 4 * kBlock));
  s.MustWrite(kChunk, kBlock, Pattern(2, 100));  // a plain write stays behind it
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 4u);
  std::string expected = Pattern(1, 4 * kBlock).replace(kBlock, 100, Pattern(2, 100));
  EXPECT_EQ(s.MustRead(kChunk, 0, 4 * kBlock), expected);
  s.LosePowerAndRestart();
  EXPECT_EQ(s.MustRead(kChunk, 0, 4 * kBlock), expected);
}

TEST_F(ExtentStoreTest, BlocksInTheIndexAreBounded) {
  for (std::uint32_t i = 0; i < 400; ++i) s.MustWrite(kChunk, i * 3 * kBlock, Pattern(i, kBlock), true);
  for (std::uint32_t i = 0; i < 400; ++i) ASSERT_EQ(s.MustRead(kChunk, i * 3 * kBlock, kBlock), Pattern(i, kBlock));
  EXPECT_GT(s.used_blocks(), 400u - s.options().inline_blocks_max);
}

TEST_F(ExtentStoreTest, EverythingIsThereAfterRestartAndKill) {
  std::string bytes = Pattern(1, 30 * kPage);
  s.MustWrite(kChunk, 1000, bytes);
  s.MustWrite(kChunk, 500, "small and durable", true);
  ASSERT_TRUE(s.Copy(kChunk, 0, kOther, 0, 10 * kPage).has_value());
  std::string expected = s.MustRead(kChunk, 0, 32 * kPage);
  for (int i = 0; i < 2; ++i) {
    s.Restart();
    EXPECT_EQ(s.MustRead(kChunk, 0, 32 * kPage), expected);
    s.KillAndRestart();
    EXPECT_EQ(s.MustRead(kChunk, 0, 32 * kPage), expected);
    EXPECT_EQ(s.MustRead(kOther, 0, 10 * kPage), expected.substr(0, 10 * kPage));
    s.CheckIndex();
  }
}

TEST_F(ExtentStoreTest, KeepsItsIdentityAndSlabSize) {
  std::uint64_t id = s.store().core().store_id();
  EXPECT_NE(id, 0u);
  ASSERT_TRUE(s.Run(s.store().core().SetSiblings({id, 5, 9})).has_value());
  s.MustWrite(kChunk, 0, Pattern(1, kPage));
  s.options().slab_bytes = 8 * kMiB;
  s.LosePowerAndRestart();
  EXPECT_EQ(s.store().core().store_id(), id);
  EXPECT_EQ(s.store().core().siblings(), (std::vector<std::uint64_t>{id, 5, 9}));
  EXPECT_EQ(s.store().core().blocks_per_slab(), 2 * kMiB / kBlockBytes);
}

}  // namespace
}  // namespace gabion
