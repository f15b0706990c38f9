#include "common/env/sim/memory_kv.h"

#include <gtest/gtest.h>

#include "common/env/sim/sim_world.h"

namespace gabion {
namespace {

void Put(MemoryKv& kv, const std::string& key, const std::string& value) {
  WriteBatch batch;
  batch.Put(key, value);
  ASSERT_TRUE(kv.Apply(batch).has_value());
}

TEST(MemoryKvTest, PowerLossKeepsWhatWasSyncedAndAHeadOfTheRest) {
  std::set<std::size_t> survived;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SimWorld world(seed);
    SimMachine& machine = world.AddMachine("machine");
    MemoryKv* kv = &machine.kv("store");
    for (int i = 0; i < 5; ++i) Put(*kv, "synced" + std::to_string(i), "value");
    ASSERT_TRUE(world.RunUntilDone(kv->Sync()).has_value());
    for (int i = 0; i < 5; ++i) Put(*kv, "unsynced" + std::to_string(i), "value");
    machine.LosePower();
    kv = &machine.kv("store");
    for (int i = 0; i < 5; ++i) EXPECT_EQ(*kv->Get("synced" + std::to_string(i)), "value");
    std::size_t head = 0;
    while (head < 5 && *kv->Get("unsynced" + std::to_string(head))) ++head;
    EXPECT_EQ(kv->contents().size(), 5 + head) << "a hole in the order of commits, seed " << seed;
    survived.insert(head);
  }
  EXPECT_EQ(survived.size(), 6u) << "some fate never happens";
}

TEST(MemoryKvTest, PowerLossRestoresWhatWasOverwrittenAndDeleted) {
  SimWorld world(1);
  MemoryKvContents& contents = world.AddMachine("machine").kv("store").contents();
  SimMachine& machine = world.machine("machine");
  Put(machine.kv("store"), "a", "old");
  Put(machine.kv("store"), "b", "old");
  ASSERT_TRUE(world.RunUntilDone(machine.kv("store").Sync()).has_value());
  WriteBatch batch;
  batch.Put("a", "new");
  batch.Put("a", "newer");
  batch.Delete("b");
  batch.Put("c", "new");
  bool lost = false;
  for (int attempt = 0; attempt < 20 && !lost; ++attempt) {
    ASSERT_TRUE(machine.kv("store").Apply(batch).has_value());
    machine.LosePower();
    MemoryKv& kv = machine.kv("store");
    lost = *kv.Get("a") == "old";
    EXPECT_EQ(*kv.Get("b"), lost ? std::optional<std::string>("old") : std::nullopt) << "half a batch";
    EXPECT_EQ(contents.size(), 2u);
    if (lost) break;
    WriteBatch undo;
    undo.Put("a", "old");
    undo.Put("b", "old");
    undo.Delete("c");
    ASSERT_TRUE(kv.Apply(undo).has_value());
    ASSERT_TRUE(world.RunUntilDone(kv.Sync()).has_value());
  }
  EXPECT_TRUE(lost);
}

TEST(MemoryKvTest, SyncUnderWayAtAPowerLossPromisesNothing) {
  SimWorld world(1);
  SimMachine& machine = world.AddMachine("machine");
  MemoryKv& kv = machine.kv("store");
  Put(kv, "key", "value");
  machine.KillProcess();
  EXPECT_FALSE(kv.Get("key").has_value()) << "the store outlived its process";
  WriteBatch batch;
  batch.Put("key", "from the dead");
  EXPECT_FALSE(kv.Apply(batch).has_value());
  EXPECT_FALSE(world.RunUntilDone(kv.Sync()).has_value());
  EXPECT_EQ(*machine.kv("store").Get("key"), "value");
}

TEST(MemoryKvTest, InjectedErrorsAreReturned) {
  SimWorld world(1);
  MemoryKv& kv = world.AddMachine("machine").kv("store");
  Put(kv, "key", "value");
  kv.contents().FailApply(true);
  kv.contents().FailSync(true);
  WriteBatch batch;
  batch.Put("key", "other");
  EXPECT_EQ(kv.Apply(batch).error().code(), ErrorCode::kIo);
  EXPECT_EQ(world.RunUntilDone(kv.Sync()).error().code(), ErrorCode::kIo);
  EXPECT_EQ(*kv.Get("key"), "value");
}

}  // namespace
}  // namespace gabion
