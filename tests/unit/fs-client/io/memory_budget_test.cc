#include "fs-client/io/memory_budget.h"

#include <gtest/gtest.h>

#include "fs-client/io/chunk_table.h"

namespace gabion {
namespace {

TEST(MemoryBudgetTest, ReadAheadGetsWhatIsLeftBelowHalf) {
  MemoryBudget budget(100);
  EXPECT_TRUE(budget.TryTakeForReading(50));
  EXPECT_FALSE(budget.TryTakeForReading(1));
  budget.TakeForWriting(60);
  EXPECT_TRUE(budget.full());
  EXPECT_EQ(budget.written(), 60u);
  budget.GiveWritten(60);
  EXPECT_EQ(budget.written(), 0u);
  EXPECT_EQ(budget.used(), 50u);
  budget.GiveRead(50);
  EXPECT_EQ(budget.used(), 0u);
}

TEST(MemoryBudgetTest, WaitersAreToldWhenThereIsRoom) {
  MemoryBudget budget(100);
  EXPECT_EQ(budget.WaitForRoom(), nullptr);
  budget.TakeForWriting(120);
  std::shared_ptr<AsyncEvent> waiter = budget.WaitForRoom();
  ASSERT_NE(waiter, nullptr);
  budget.GiveWritten(10);
  EXPECT_EQ(waiter.use_count(), 2) << "still full";
  budget.GiveWritten(20);
  EXPECT_EQ(waiter.use_count(), 1) << "told, and forgotten";
}

TEST(ChunkTableTest, ForgetsFromAnIndexOn) {
  ChunkTable table;
  table.Set(0, {ChunkId(1), PgId(1)});
  table.Set(5, ChunkPlace());
  EXPECT_FALSE(table.Find(1).has_value());
  ASSERT_TRUE(table.Find(5).has_value());
  EXPECT_TRUE(table.Find(5)->hole());
  std::uint64_t before = table.generation();
  table.ForgetFrom(1);
  EXPECT_NE(table.generation(), before);
  EXPECT_TRUE(table.Find(0).has_value());
  EXPECT_FALSE(table.Find(5).has_value());
}

TEST(ChunkTableTest, IsBounded) {
  ChunkTable table;
  std::size_t known = 0;
  for (std::uint64_t i = 0; i < 3 * ChunkTable::kMaxKnown; ++i) table.Set(i, {ChunkId(i + 1), PgId(1)});
  for (std::uint64_t i = 0; i < 3 * ChunkTable::kMaxKnown; ++i) known += table.Find(i).has_value() ? 1 : 0;
  EXPECT_LE(known, ChunkTable::kMaxKnown);
}

}  // namespace
}  // namespace gabion
