#include "fs-client/session/id_pool.h"

#include <gtest/gtest.h>

#include <limits>

#include "fs-client/session/delegated_ids.h"

namespace gabion {
namespace {

TEST(IdPoolTest, HandsOutEachIdOnceInOrder) {
  IdPool pool;
  pool.Add(10, 2);
  pool.Add(100, 1);
  EXPECT_EQ(pool.remaining(), 3u);
  EXPECT_EQ(pool.Take(), 10u);
  EXPECT_EQ(pool.Take(), 11u);
  EXPECT_EQ(pool.Take(), 100u);
  EXPECT_EQ(pool.Take(), std::nullopt);
}

TEST(IdPoolTest, NeverHandsOutZeroOrWrapsAround) {
  IdPool pool;
  pool.Add(0, 5);
  EXPECT_EQ(pool.remaining(), 0u);
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
  pool.Add(kLast - 1, 100);
  EXPECT_EQ(pool.Take(), kLast - 1);
  EXPECT_EQ(pool.Take(), std::nullopt);
}

TEST(DelegatedIdsTest, IsLowBeforeItIsEmpty) {
  DelegatedIds ids;
  EXPECT_TRUE(ids.low());
  proto::IdRange range;
  range.set_first(1000);
  range.set_count(DelegatedIds::kLowWater + 1);
  ids.Add(range, range);
  EXPECT_FALSE(ids.low());
  EXPECT_EQ(ids.missing_inos(), DelegatedIds::kBatch - DelegatedIds::kLowWater - 1);
  ASSERT_TRUE(ids.TakeForFile().has_value());
  ASSERT_TRUE(ids.TakeChunk().has_value());
  EXPECT_TRUE(ids.low());
}

TEST(DelegatedIdsTest, FileTakesNothingUnlessBothAreThere) {
  DelegatedIds ids;
  proto::IdRange none, some;
  some.set_first(5);
  some.set_count(1);
  ids.Add(some, none);
  EXPECT_FALSE(ids.TakeForFile().has_value());
  ids.Add(none, some);
  std::optional<NewFileIds> taken = ids.TakeForFile();
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->ino, Ino(5));
  EXPECT_EQ(taken->first_chunk, ChunkId(5));
}

}  // namespace
}  // namespace gabion
