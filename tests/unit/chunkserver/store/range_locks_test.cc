#include "chunkserver/store/range_locks.h"

#include <gtest/gtest.h>

#include "chunkserver/store/reuse_gate.h"
#include "common/coro/task_group.h"
#include "common/env/sim/sim_world.h"

namespace gabion {
namespace {

constexpr ChunkId kChunk{1};

class RangeLocksTest : public testing::Test {
 protected:
  // Notes its name when it has the lock, and keeps it for a while.
  static Task<void> Hold(RangeLocksTest& test, char name, ChunkId chunk, PageRange range, int seconds) {
    Task<RangeLocks::Guard> lock = test.locks_.Lock(chunk, range);
    return HoldThis(test, name, std::move(lock), seconds);
  }
  static Task<void> Share(RangeLocksTest& test, char name, PageRange range, int seconds) {
    Task<RangeLocks::Guard> lock = test.locks_.LockShared(kChunk, range);
    return HoldThis(test, name, std::move(lock), seconds);
  }
  static Task<void> HoldThis(RangeLocksTest& test, char name, Task<RangeLocks::Guard> lock, int seconds) {
    RangeLocks::Guard guard = co_await std::move(lock);
    test.order_ += name;
    co_await test.machine_.env().clock.SleepFor(std::chrono::seconds(seconds));
    test.order_ += static_cast<char>(name - 'a' + 'A');
  }
  void Run(std::vector<Task<void>> tasks) { world_.RunUntilAllDone(std::move(tasks)); }

  SimWorld world_{1};
  SimMachine& machine_ = world_.AddMachine("machine");
  RangeLocks locks_;
  std::string order_;
};

TEST_F(RangeLocksTest, OverlappingOnesTakeTurnsInOrder) {
  std::vector<Task<void>> tasks;
  tasks.push_back(Hold(*this, 'a', kChunk, {0, 10}, 5));
  tasks.push_back(Hold(*this, 'b', kChunk, {10, 20}, 1));
  tasks.push_back(Hold(*this, 'c', kChunk, {5, 15}, 1));
  Run(std::move(tasks));
  EXPECT_EQ(order_, "aAbBcC");
}

TEST_F(RangeLocksTest, OthersGoOnAtTheSameTime) {
  std::vector<Task<void>> tasks;
  tasks.push_back(Hold(*this, 'a', kChunk, {0, 9}, 3));
  tasks.push_back(Hold(*this, 'b', kChunk, {10, 20}, 2));
  tasks.push_back(Hold(*this, 'c', ChunkId(2), {0, 20}, 1));
  Run(std::move(tasks));
  EXPECT_EQ(order_, "abcCBA");
}

TEST_F(RangeLocksTest, NobodyOvertakesWhoOverlaps) {
  // c could have its range at once, but b is before it and waits for a.
  std::vector<Task<void>> tasks;
  tasks.push_back(Hold(*this, 'a', kChunk, {0, 0}, 5));
  tasks.push_back(Hold(*this, 'b', kChunk, {0, 1}, 1));
  tasks.push_back(Hold(*this, 'c', kChunk, {1, 1}, 1));
  Run(std::move(tasks));
  EXPECT_EQ(order_, "aAbBcC");
}

TEST_F(RangeLocksTest, TellsWhatIsHeldOrWaitedFor) {
  TaskGroup tasks;
  tasks.Spawn(machine_.env().executor, Hold(*this, 'a', kChunk, {5, 10}, 5));
  tasks.Spawn(machine_.env().executor, Hold(*this, 'b', kChunk, {10, 20}, 1));
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_TRUE(locks_.IsLocked(kChunk, {0, 5}));
  EXPECT_TRUE(locks_.IsLocked(kChunk, {20, 30})) << "waited for";
  EXPECT_FALSE(locks_.IsLocked(kChunk, {0, 4}));
  EXPECT_FALSE(locks_.IsLocked(kChunk, {21, 1023}));
  EXPECT_FALSE(locks_.IsLocked(ChunkId(2), PageRange::WholeChunk()));
  world_.RunUntilDone(tasks.Join());
  EXPECT_FALSE(locks_.IsLocked(kChunk, PageRange::WholeChunk()));
}

TEST_F(RangeLocksTest, SharedOnesWaitForOthersOnly) {
  std::vector<Task<void>> tasks;
  tasks.push_back(Share(*this, 'a', {0, 10}, 4));
  tasks.push_back(Share(*this, 'b', {10, 20}, 2));
  tasks.push_back(Hold(*this, 'c', kChunk, {5, 15}, 1));
  tasks.push_back(Share(*this, 'd', {0, 20}, 2));  // not before c, so that c comes to its turn
  tasks.push_back(Share(*this, 'e', {0, 20}, 1));
  Run(std::move(tasks));
  EXPECT_EQ(order_, "abBAcCdeED");
}

TEST_F(RangeLocksTest, SharedOnesDoNotCountAsLocked) {
  TaskGroup tasks;
  tasks.Spawn(machine_.env().executor, Share(*this, 'a', {0, 10}, 5));
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_FALSE(locks_.IsLocked(kChunk, {0, 10}));
  tasks.Spawn(machine_.env().executor, Hold(*this, 'b', kChunk, {5, 5}, 1));
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_TRUE(locks_.IsLocked(kChunk, {0, 10})) << "one waits that is not shared";
  EXPECT_FALSE(locks_.IsLocked(kChunk, {0, 4}));
  world_.RunUntilDone(tasks.Join());
}

TEST(PageRangeTest, CoversBytes) {
  PageRange range = PageRange::Covering(65535, 2);
  EXPECT_EQ(range.first, 0);
  EXPECT_EQ(range.last, 1);
  range = PageRange::Covering(64u << 20 >> 1, 1);
  EXPECT_EQ(range.first, 512);
  EXPECT_EQ(range.last, 512);
  EXPECT_EQ(PageRange::WholeChunk().last, 1023);
}

TEST(ReuseGateTest, WaitsForTheCommitAndForEarlierReads) {
  ReuseGate gate;
  ReuseGate::Ticket early = gate.BeginRead();
  gate.Add({10, 1}, CommitSeq(1));
  ReuseGate::Ticket late = gate.BeginRead();
  EXPECT_TRUE(gate.TakeReusable().empty());
  gate.Durable(CommitSeq(1));
  EXPECT_TRUE(gate.TakeReusable().empty()) << "somebody may still read it";
  gate.EndRead(early);
  EXPECT_EQ(gate.TakeReusable(), (std::vector<BlockRun>{{10, 1}})) << "whoever came later cannot";
  gate.Add({20, 2}, CommitSeq(2));
  gate.EndRead(late);
  EXPECT_TRUE(gate.TakeReusable().empty()) << "the commit is not durable";
  gate.Durable(CommitSeq(5));
  EXPECT_EQ(gate.TakeReusable(), (std::vector<BlockRun>{{20, 2}}));
  EXPECT_TRUE(gate.TakeReusable().empty());
}

}  // namespace
}  // namespace gabion
