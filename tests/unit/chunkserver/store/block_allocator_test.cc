#include "chunkserver/store/block_allocator.h"

#include <gtest/gtest.h>

#include <set>

#include "common/env/sim/sim_random.h"

namespace gabion {
namespace {

std::uint32_t CountOf(const std::vector<BlockRun>& runs) {
  std::uint32_t count = 0;
  for (const BlockRun& run : runs) count += run.count;
  return count;
}

TEST(BlockAllocatorTest, HandsOutEveryBlockOnce) {
  BlockAllocator allocator(3000);  // slabs that end within segments
  allocator.AddSlab();
  allocator.AddSlab();
  EXPECT_EQ(allocator.free_blocks(), 6000u);
  std::set<BlockAddress> seen;
  SimRandom random(1);
  while (allocator.free_blocks() > 0) {
    std::uint32_t count =
        static_cast<std::uint32_t>(1 + random.Below(std::min<std::uint64_t>(allocator.free_blocks(), 300)));
    std::vector<BlockRun> runs = allocator.Reserve(count);
    ASSERT_EQ(CountOf(runs), count);
    for (const BlockRun& run : runs) {
      EXPECT_EQ(run.first / 3000, (run.end() - 1) / 3000) << "within one slab";
      for (BlockAddress at = run.first; at < run.end(); ++at) ASSERT_TRUE(seen.insert(at).second);
    }
  }
  EXPECT_EQ(seen.size(), 6000u);
  EXPECT_EQ(*seen.rbegin(), 5999u);
  EXPECT_TRUE(allocator.Reserve(1).empty());
}

TEST(BlockAllocatorTest, MoreThanThereIsIsNothing) {
  BlockAllocator allocator(100);
  EXPECT_TRUE(allocator.Reserve(1).empty());
  allocator.AddSlab();
  EXPECT_TRUE(allocator.Reserve(101).empty());
  EXPECT_EQ(allocator.free_blocks(), 100u) << "and takes nothing";
  EXPECT_EQ(CountOf(allocator.Reserve(100)), 100u);
}

TEST(BlockAllocatorTest, LifeOfABlock) {
  BlockAllocator allocator(1024);
  allocator.AddSlab();
  BlockRun run = allocator.Reserve(10).at(0);
  EXPECT_EQ(run.count, 10u);
  EXPECT_FALSE(allocator.Record(0).has_value()) << "the index does not know of what is reserved";
  allocator.Commit(run);
  EXPECT_EQ(allocator.allocated_blocks(), 10u);
  EXPECT_EQ(allocator.Record(0)->allocated[0], 0x3ffu);
  allocator.Free(run);
  EXPECT_EQ(allocator.allocated_blocks(), 0u);
  EXPECT_FALSE(allocator.Record(0).has_value());
  EXPECT_EQ(allocator.free_blocks(), 1014u) << "held";
  allocator.Release(run);
  EXPECT_EQ(allocator.free_blocks(), 1024u);
  BlockRun unused = allocator.Reserve(5).at(0);
  allocator.Unreserve(unused);
  EXPECT_EQ(allocator.free_blocks(), 1024u);
}

TEST(BlockAllocatorTest, LoadsWhatItRecorded) {
  SimRandom random(7);
  BlockAllocator allocator(5000);
  allocator.AddSlab();
  std::vector<BlockRun> held;
  for (int i = 0; i < 200; ++i) {
    for (const BlockRun& run : allocator.Reserve(static_cast<std::uint32_t>(1 + random.Below(20)))) {
      allocator.Commit(run);
      if (random.Chance(1, 2)) held.push_back(run);
    }
  }
  for (const BlockRun& run : held) allocator.Free(run);
  BlockAllocator loaded(5000);
  loaded.AddSlab();
  for (std::uint32_t segment = 0; segment < allocator.segment_count(); ++segment) {
    if (std::optional<SegmentRecord> record = allocator.Record(segment)) {
      ASSERT_TRUE(loaded.Load(segment, *record).has_value());
      EXPECT_EQ(loaded.Record(segment), record);
    }
  }
  EXPECT_EQ(loaded.allocated_blocks(), allocator.allocated_blocks());
  EXPECT_EQ(loaded.free_blocks(), 5000 - allocator.allocated_blocks()) << "nothing is held after a start";
}

TEST(BlockAllocatorTest, LoadRefusesBlocksBeyondTheSlabs) {
  BlockAllocator allocator(1500);
  allocator.AddSlab();
  SegmentRecord record;
  record.allocated[7] = 1;  // block 1024 + 448
  EXPECT_TRUE(allocator.Load(1, record).has_value());
  SegmentRecord beyond;
  beyond.allocated[8] = 1;  // block 1024 + 512
  EXPECT_EQ(allocator.Load(1, beyond).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(allocator.Load(2, record).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(allocator.Load(UINT32_MAX, record).error().code(), ErrorCode::kCorrupt);
}

TEST(BlockAllocatorTest, LargeRequestsStayInOnePiece) {
  BlockAllocator allocator(4096);
  allocator.AddSlab();
  std::vector<BlockRun> all = allocator.Reserve(4096);
  for (const BlockRun& run : all) allocator.Commit(run);
  // Gaps of one block all over, and one of 300.
  for (BlockAddress at = 0; at < 2000; at += 2) {
    allocator.Free({at, 1});
    allocator.Release({at, 1});
  }
  allocator.Free({3000, 300});
  allocator.Release({3000, 300});
  EXPECT_EQ(allocator.Reserve(256).size(), 1u);
  EXPECT_EQ(CountOf(allocator.Reserve(900)), 900u) << "in pieces, if that is all there is";
}

TEST(BlockAllocatorTest, PunchesLongRunsAndShortOnesOnDemand) {
  BlockAllocator allocator(2048);
  allocator.AddSlab();
  for (const BlockRun& run : allocator.Reserve(2048)) allocator.Commit(run);
  EXPECT_TRUE(allocator.TakePunchable(true).empty());
  allocator.Free({100, 64});
  allocator.Release({100, 64});
  allocator.Free({200, 3});
  allocator.Release({200, 3});
  std::vector<BlockRun> runs = allocator.TakePunchable(false);
  EXPECT_EQ(runs, (std::vector<BlockRun>{{100, 64}}));
  EXPECT_TRUE(allocator.Reserve(4).empty()) << "not while they are punched";
  allocator.Punched(runs[0]);
  EXPECT_TRUE(allocator.TakePunchable(false).empty());
  runs = allocator.TakePunchable(true);
  ASSERT_EQ(runs.size(), 2u) << "nobody remembers that the long one was";
  for (const BlockRun& run : runs) allocator.Punched(run);
  EXPECT_TRUE(allocator.TakePunchable(true).empty()) << "once";
  EXPECT_EQ(allocator.free_blocks(), 67u);
  allocator.MarkAllPunchable();
  EXPECT_EQ(allocator.TakePunchable(false), (std::vector<BlockRun>{{100, 64}}));
}

}  // namespace
}  // namespace gabion
