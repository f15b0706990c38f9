#include "chunkserver/pg/scrub_queue.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

class ScrubQueueTest : public testing::Test {
 protected:
  ChunkId TakeAt(std::int64_t ns) {
    const std::optional<ScrubQueue::Suspect> taken = queue_.Take(TimePoint{ns});
    return taken ? taken->chunk : ChunkId();
  }

  int woken_ = 0;
  ScrubQueue queue_{[this] { ++woken_; }};
};

TEST_F(ScrubQueueTest, HasAChunkOnce) {
  EXPECT_FALSE(queue_.NextDue().has_value());
  EXPECT_TRUE(queue_.Add(PgId(1), ChunkId(7)));
  EXPECT_TRUE(queue_.Add(PgId(1), ChunkId(7)));
  EXPECT_EQ(woken_, 1);
  EXPECT_TRUE(queue_.NextDue().has_value());
  EXPECT_EQ(TakeAt(0), ChunkId(7));
  EXPECT_EQ(TakeAt(0), ChunkId());
}

TEST_F(ScrubQueueTest, WhatIsPutBackComesLater) {
  queue_.PutBack({PgId(1), ChunkId(7), 2}, TimePoint{50});
  queue_.PutBack({PgId(1), ChunkId(8), 2}, TimePoint{40});
  EXPECT_EQ(woken_, 0);
  EXPECT_EQ(queue_.NextDue()->ns, 40);
  EXPECT_EQ(TakeAt(39), ChunkId());
  EXPECT_TRUE(queue_.Add(PgId(1), ChunkId(9)));
  EXPECT_EQ(TakeAt(39), ChunkId(9));
  EXPECT_EQ(TakeAt(60), ChunkId(8));
  EXPECT_EQ(queue_.Take(TimePoint{60})->tries, 2u);
}

TEST_F(ScrubQueueTest, IsBounded) {
  for (std::size_t i = 1; i <= ScrubQueue::kMaxChunks; ++i) EXPECT_TRUE(queue_.Add(PgId(1), ChunkId(i)));
  EXPECT_FALSE(queue_.Add(PgId(1), ChunkId(ScrubQueue::kMaxChunks + 1)));
  queue_.PutBack({PgId(1), ChunkId(ScrubQueue::kMaxChunks + 1), 1}, TimePoint{0});
  std::size_t count = 0;
  while (TakeAt(0)) ++count;
  EXPECT_EQ(count, ScrubQueue::kMaxChunks);
}

}  // namespace
}  // namespace gabion
