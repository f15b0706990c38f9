#include "common/env/sim/sim_disk.h"

#include <gtest/gtest.h>

#include <map>

#include "common/base/byte_units.h"
#include "common/env/sim/sim_world.h"

namespace gabion {
namespace {

class SimDiskTest : public testing::Test {
 protected:
  explicit SimDiskTest(std::uint64_t seed = 1) : world_(seed) { Reopen(); }

  void Reopen() {
    Result<std::unique_ptr<DiskFile>> file = world_.RunUntilDone(machine_.disk("disk").Open("slab", kMiB));
    CHECK(file.has_value());
    file_ = std::move(*file);
  }
  SimPlatter& platter() { return machine_.disk("disk").platter(); }
  Result<void> Write(std::uint64_t offset_bytes, std::string_view text) {
    return world_.RunUntilDone(file_->WriteAt(offset_bytes, Payload(Slice::CopyOf(text))));
  }
  void MustWrite(std::uint64_t offset_bytes, std::string_view text) { CHECK(Write(offset_bytes, text).has_value()); }
  void MustSync() { CHECK(world_.RunUntilDone(file_->Sync()).has_value()); }
  std::string Contents(std::uint64_t offset_bytes, std::size_t length) {
    return platter().Contents("slab", offset_bytes, length);
  }

  SimWorld world_;
  SimMachine& machine_ = world_.AddMachine("machine");
  std::unique_ptr<DiskFile> file_;
};

TEST_F(SimDiskTest, KilledProcessLosesNothing) {
  MustWrite(10, "hello");
  machine_.KillProcess();
  EXPECT_FALSE(Write(10, "dead!").has_value());
  Reopen();
  EXPECT_EQ(Contents(10, 5), "hello");
}

TEST_F(SimDiskTest, PowerLossKeepsLosesOrTears) {
  const std::string old_bytes(8192, 'o'), new_bytes(8192, 'n');
  int kept = 0, lost = 0, torn = 0;
  for (int round = 0; round < 60; ++round) {
    MustWrite(0, old_bytes);
    MustSync();
    MustWrite(0, new_bytes);
    machine_.LosePower();
    Reopen();
    const std::string after = Contents(0, 8192);
    if (after == new_bytes) {
      ++kept;
    } else if (after == old_bytes) {
      ++lost;
    } else {
      ++torn;
      for (std::size_t sector = 0; sector < 8192; sector += SimPlatter::kSectorBytes) {
        EXPECT_EQ(after.substr(sector, 512), std::string(512, after[sector])) << "a sector is whole";
      }
    }
  }
  EXPECT_GT(kept, 0);
  EXPECT_GT(lost, 0);
  EXPECT_GT(torn, 0);
}

TEST_F(SimDiskTest, PowerLossNeverTouchesWhatWasSynced) {
  std::map<std::uint64_t, char> synced;  // block -> its bytes
  for (int round = 0; round < 100; ++round) {
    const std::uint64_t block = world_.random().Below(50);
    const char byte = static_cast<char>('a' + round % 26);
    MustWrite(block * kBlockBytes, std::string(kBlockBytes, byte));
    MustSync();
    synced[block] = byte;
    MustWrite((50 + world_.random().Below(50)) * kBlockBytes, std::string(3000, 'u'));
    if (world_.random().Chance(1, 4)) {
      machine_.LosePower();
      Reopen();
    }
    for (const auto& [index, value] : synced)
      ASSERT_EQ(Contents(index * kBlockBytes, kBlockBytes), std::string(kBlockBytes, value));
  }
}

TEST_F(SimDiskTest, FullDiskTakesNothingNewAndOverwritesStill) {
  platter().options().capacity_bytes = 16 * kKiB;
  MustWrite(0, std::string(16 * kKiB, 'x'));
  EXPECT_EQ(Write(16 * kKiB, "more").error().code(), ErrorCode::kNoSpace);
  EXPECT_TRUE(Write(0, "same place").has_value());
  Result<DiskSpace> space = world_.RunUntilDone(machine_.disk("disk").Space());
  ASSERT_TRUE(space.has_value());
  EXPECT_EQ(space->available_bytes, 0u);
  ASSERT_TRUE(world_.RunUntilDone(file_->PunchHole(0, 8 * kKiB)).has_value());
  EXPECT_TRUE(Write(16 * kKiB, "more").has_value());
}

TEST_F(SimDiskTest, InjectedErrors) {
  MustWrite(0, "data");
  platter().FailReads(1'000'000);
  EXPECT_EQ(world_.RunUntilDone(file_->ReadAt(0, 4)).error().code(), ErrorCode::kIo);
  platter().FailReads(0);
  platter().FailWrites(1'000'000);
  EXPECT_EQ(Write(0, "lost").error().code(), ErrorCode::kIo);
  platter().FailWrites(0);
  platter().FailSyncs(1'000'000);
  EXPECT_EQ(world_.RunUntilDone(file_->Sync()).error().code(), ErrorCode::kIo);
  platter().FailSyncs(0);
  platter().SetDead(true);
  EXPECT_FALSE(Write(0, "lost").has_value());
  EXPECT_FALSE(world_.RunUntilDone(machine_.disk("disk").Space()).has_value());
  platter().SetDead(false);
  EXPECT_EQ(Contents(0, 4), "data");
}

TEST_F(SimDiskTest, FlippedBitStaysThroughAPowerLoss) {
  MustWrite(0, "aaaa");
  MustSync();
  platter().FlipBit("slab", 2, 1);
  EXPECT_EQ(Contents(0, 4), "aaca");
  machine_.LosePower();
  EXPECT_EQ(Contents(0, 4), "aaca");
}

TEST_F(SimDiskTest, OldestUnsyncedWritesReachThePlatterByThemselves) {
  platter().options().writeback_bytes = 64 * kKiB;
  MustWrite(0, std::string(kBlockBytes, 'x'));
  for (std::uint64_t i = 1; i < 40; ++i) MustWrite(i * kBlockBytes, std::string(kBlockBytes, 'y'));
  machine_.LosePower();
  EXPECT_EQ(Contents(0, kBlockBytes), std::string(kBlockBytes, 'x'));
}

}  // namespace
}  // namespace gabion
