#include "fs-client/io/read_ahead.h"

#include <gtest/gtest.h>

#include "fs-client/io/read_stream.h"

namespace gabion {
namespace {

constexpr std::uint64_t kLargeFile = kGiB;

TEST(ReadAheadTest, SingleReadsAreNoStream) {
  ReadAhead ahead;
  for (std::uint64_t offset : {0 * kMiB, 500 * kMiB, 10 * kMiB, 900 * kMiB}) {
    EXPECT_TRUE(ahead.OnRead(offset, 4096, kLargeFile).empty());
  }
}

TEST(ReadAheadTest, ReadingTheSameBlocksAgainIsNoStream) {
  ReadAhead ahead;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(ahead.OnRead(0, 4096, kLargeFile).empty());
}

TEST(ReadAheadTest, WindowGrowsAheadOfAStream) {
  ReadAhead ahead;
  EXPECT_TRUE(ahead.OnRead(0, 128 * kKiB, kLargeFile).empty());
  std::uint64_t planned = 0;
  std::uint64_t largest = 0;
  for (std::uint64_t offset = 128 * kKiB; offset < 64 * kMiB; offset += 128 * kKiB) {
    ReadAhead::Range range = ahead.OnRead(offset, 128 * kKiB, kLargeFile);
    if (range.empty()) continue;
    EXPECT_GE(range.begin, planned) << "nothing is asked for twice";
    EXPECT_EQ(range.begin % kBlockBytes, 0u);
    planned = range.end;
    largest = std::max(largest, planned - offset);
  }
  EXPECT_GE(largest, ReadAhead::kLargestWindow / 2);
  EXPECT_LE(largest, ReadAhead::kLargestWindow + 2 * ReadAhead::kSegmentBytes);
}

TEST(ReadAheadTest, AcceptsTheKernelsDisorder) {
  ReadAhead ahead;
  (void)ahead.OnRead(128 * kKiB, 128 * kKiB, kLargeFile);
  EXPECT_FALSE(ahead.OnRead(0, 128 * kKiB, kLargeFile).empty() &&
               ahead.OnRead(256 * kKiB, 128 * kKiB, kLargeFile).empty());
}

TEST(ReadAheadTest, StopsAtTheEndOfTheFile) {
  ReadAhead ahead;
  (void)ahead.OnRead(0, 4096, 10'000);
  ReadAhead::Range range = ahead.OnRead(4096, 4096, 10'000);
  EXPECT_EQ(range.begin, 8192u);
  EXPECT_EQ(range.end, 12'288u);
  EXPECT_TRUE(ahead.OnRead(8192, 1808, 10'000).empty());
}

TEST(ReadStreamTest, SegmentsTakeFromTheBudgetAndGiveBack) {
  MemoryBudget budget(4 * kMiB);
  {
    ReadStream stream;
    (void)stream.OnRead(0, 4096, kLargeFile, budget);
    std::vector<ReadSegmentPtr> started = stream.OnRead(4096, 4096, kLargeFile, budget);
    ASSERT_FALSE(started.empty());
    EXPECT_GT(budget.used(), 0u);
    EXPECT_LE(budget.used(), 2 * kMiB);
    EXPECT_EQ(stream.Find(8192), started.front());
    EXPECT_EQ(stream.Find(0), nullptr);
    EXPECT_EQ(stream.NextBegin(0), 8192u);
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST(ReadStreamTest, WithoutRoomThereIsNoReadAhead) {
  MemoryBudget budget(4 * kMiB);
  budget.TakeForWriting(3 * kMiB);
  ReadStream stream;
  (void)stream.OnRead(0, 4096, kLargeFile, budget);
  EXPECT_TRUE(stream.OnRead(4096, 4096, kLargeFile, budget).empty());
  budget.GiveWritten(3 * kMiB);
  EXPECT_FALSE(stream.OnRead(8192, 4096, kLargeFile, budget).empty()) << "and goes on when there is room again";
}

TEST(ReadStreamTest, DropForgetsWhatOverlaps) {
  MemoryBudget budget(64 * kMiB);
  ReadStream stream;
  (void)stream.OnRead(0, 4096, kLargeFile, budget);
  std::vector<ReadSegmentPtr> started = stream.OnRead(4096, 4096, kLargeFile, budget);
  ASSERT_FALSE(started.empty());
  std::shared_ptr<AsyncEvent> waiter = started.front()->settled.Add();
  EXPECT_EQ(stream.Drop(9000, 9001).size(), 1u) << "who waits for it is told";
  EXPECT_EQ(started.front()->state, ReadSegment::State::kDead);
  EXPECT_EQ(stream.Find(8192), nullptr);
}

}  // namespace
}  // namespace gabion
