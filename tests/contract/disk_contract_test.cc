#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/byte_units.h"
#include "common/env/disk.h"
#include "common/env/real/blocking_pool.h"
#include "common/env/real/real_disk.h"
#include "common/env/sim/sim_world.h"
#include "tests/contract/bench.h"
#include "tests/contract/env_benches.h"

namespace gabion {
namespace {

class RealDiskBench {
 public:
  static constexpr const char* kName = "Real";

  RealDiskBench() { Kill(); }

  Disk& disk() { return *disk_; }
  void Kill() {
    Result<std::unique_ptr<Disk>> opened = OpenRealDisk(directory_.path(), pool_);
    CHECK(opened.has_value());
    disk_ = std::move(*opened);
  }
  template <typename T>
  T Run(Task<T> task) {
    return bench_.Run(std::move(task));
  }
  void RunAll(std::vector<Task<void>> tasks) { bench_.RunAll(std::move(tasks)); }

 private:
  TempDir directory_;
  RealBench bench_;  // outlives the pool
  BlockingPool pool_{2};
  std::unique_ptr<Disk> disk_;
};

class SimDiskBench {
 public:
  static constexpr const char* kName = "Sim";

  Disk& disk() { return machine_.disk("disk"); }
  void Kill() { machine_.KillProcess(); }
  template <typename T>
  T Run(Task<T> task) {
    return world_.RunUntilDone(std::move(task));
  }
  void RunAll(std::vector<Task<void>> tasks) { world_.RunUntilAllDone(std::move(tasks)); }

 private:
  SimWorld world_{1};
  SimMachine& machine_ = world_.AddMachine("machine");
};

template <typename Bench>
class DiskContract : public testing::Test {
 protected:
  static constexpr std::uint64_t kSize = 64 * kMiB;

  std::unique_ptr<DiskFile> MustOpen(const std::string& name = "slab") {
    Result<std::unique_ptr<DiskFile>> file = bench_.Run(bench_.disk().Open(name, kSize));
    CHECK(file.has_value());
    return std::move(*file);
  }
  void MustWrite(DiskFile& file, std::uint64_t offset_bytes, std::string_view text) {
    CHECK(bench_.Run(file.WriteAt(offset_bytes, Payload(Slice::CopyOf(text)))).has_value());
  }
  std::string Read(DiskFile& file, std::uint64_t offset_bytes, std::size_t length) {
    Result<Slice> bytes = bench_.Run(file.ReadAt(offset_bytes, length));
    CHECK(bytes.has_value());
    return Payload(*bytes).ToString();
  }

  Bench bench_;
};
using Benches = testing::Types<RealDiskBench, SimDiskBench>;
TYPED_TEST_SUITE(DiskContract, Benches, BenchNames);

TYPED_TEST(DiskContract, NewFileIsZeros) {
  const auto file = this->MustOpen();
  EXPECT_EQ(this->Read(*file, 0, 10), std::string(10, '\0'));
  EXPECT_EQ(this->Read(*file, this->kSize - 5, 5), std::string(5, '\0'));
}

TYPED_TEST(DiskContract, ReadsBackWhatWasWritten) {
  const auto file = this->MustOpen();
  this->MustWrite(*file, 4096, "hello");
  this->MustWrite(*file, 4099, "p!");
  EXPECT_EQ(this->Read(*file, 4094, 9), std::string("\0\0help!\0\0", 9));
}

TYPED_TEST(DiskContract, GathersSlices) {
  const auto file = this->MustOpen();
  Payload payload;
  for (int i = 0; i < 3000; ++i) payload.Append(Slice::CopyOf(std::to_string(i)));
  ASSERT_TRUE(this->bench_.Run(file->WriteAt(123, payload)).has_value());
  EXPECT_EQ(this->Read(*file, 123, payload.size()), payload.ToString());
}

TYPED_TEST(DiskContract, EmptyReadsAndWrites) {
  const auto file = this->MustOpen();
  ASSERT_TRUE(this->bench_.Run(file->WriteAt(10, Payload())).has_value());
  EXPECT_EQ(this->Read(*file, 10, 0), "");
}

TYPED_TEST(DiskContract, LargeWrites) {
  const auto file = this->MustOpen();
  std::string large(4 * kMiB + 17, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 2654435761u >> 11);
  this->MustWrite(*file, 4095, large);
  EXPECT_TRUE(this->Read(*file, 4095, large.size()) == large);
}

TYPED_TEST(DiskContract, BeyondTheEndReadsAsZeros) {
  const auto file = this->MustOpen();
  this->MustWrite(*file, this->kSize - 3, "end");
  EXPECT_EQ(this->Read(*file, this->kSize - 3, 6), std::string("end\0\0\0", 6));
  EXPECT_EQ(this->Read(*file, this->kSize + kMiB, 4), std::string(4, '\0'));
}

TYPED_TEST(DiskContract, PunchedHoleReadsAsZeros) {
  const auto file = this->MustOpen();
  this->MustWrite(*file, 0, std::string(3 * kBlockBytes, 'x'));
  ASSERT_TRUE(this->bench_.Run(file->PunchHole(kBlockBytes, kBlockBytes)).has_value());
  EXPECT_EQ(this->Read(*file, 0, 3 * kBlockBytes),
            std::string(kBlockBytes, 'x') + std::string(kBlockBytes, '\0') + std::string(kBlockBytes, 'x'));
  this->MustWrite(*file, kBlockBytes, "again");
  EXPECT_EQ(this->Read(*file, kBlockBytes, 5), "again");
}

TYPED_TEST(DiskContract, FilesAreApart) {
  const auto a = this->MustOpen("a");
  const auto b = this->MustOpen("b");
  this->MustWrite(*a, 0, "a");
  this->MustWrite(*b, 0, "b");
  EXPECT_EQ(this->Read(*a, 0, 1), "a");
  EXPECT_EQ(this->Read(*b, 0, 1), "b");
}

TYPED_TEST(DiskContract, KilledProcessLosesNothing) {
  auto file = this->MustOpen();
  this->MustWrite(*file, 100, "unsynced");
  const std::string boot_id = this->bench_.disk().boot_id();
  file.reset();
  this->bench_.Kill();
  file = this->MustOpen();
  EXPECT_EQ(this->Read(*file, 100, 8), "unsynced");
  EXPECT_EQ(this->bench_.disk().boot_id(), boot_id);
  EXPECT_FALSE(boot_id.empty());
}

TYPED_TEST(DiskContract, WhatIsSetAsideIsNotAvailable) {
  constexpr std::uint64_t kAside = 8 * kMiB;
  Disk& disk = this->bench_.disk();
  Result<DiskSpace> before = this->bench_.Run(disk.Space());
  ASSERT_TRUE(before);
  EXPECT_EQ(before->set_aside_bytes, 0u);
  EXPECT_EQ(this->bench_.Run(disk.SetAside(kAside)).value(), kAside);
  Result<DiskSpace> after = this->bench_.Run(disk.Space());
  ASSERT_TRUE(after);
  EXPECT_EQ(after->set_aside_bytes, kAside);
  EXPECT_LE(after->available_bytes, before->available_bytes - kAside / 2) << "others use the disk as well";
  EXPECT_EQ(this->bench_.Run(disk.SetAside(kAside / 2)).value(), kAside / 2);
}

TYPED_TEST(DiskContract, WhatIsSetAsideStaysOverRestarts) {
  ASSERT_TRUE(this->bench_.Run(this->bench_.disk().SetAside(kMiB)));
  this->bench_.Kill();
  EXPECT_EQ(this->bench_.Run(this->bench_.disk().Space())->set_aside_bytes, kMiB);
}

TYPED_TEST(DiskContract, MoreThanThereIsCannotBeSetAside) {
  ASSERT_TRUE(this->bench_.Run(this->bench_.disk().SetAside(kMiB)));
  EXPECT_EQ(this->bench_.Run(this->bench_.disk().SetAside(std::uint64_t{1} << 50)).value(), kMiB);
}

TYPED_TEST(DiskContract, SpaceShrinksWithWhatIsWritten) {
  const auto file = this->MustOpen();
  Result<DiskSpace> space = this->bench_.Run(this->bench_.disk().Space());
  ASSERT_TRUE(space.has_value());
  EXPECT_GT(space->total_bytes, 0u);
  EXPECT_LE(space->available_bytes, space->total_bytes);
}

Task<void> WriteAndSync(DiskFile& file, std::uint64_t number, int& good) {
  const std::string text(kBlockBytes, static_cast<char>('a' + number % 26));
  for (int round = 0; round < 3; ++round) {
    Payload payload(Slice::CopyOf(text));
    Result<void> written = co_await file.WriteAt(number * kBlockBytes, std::move(payload));
    Result<void> synced = co_await file.Sync();
    Result<Slice> read = co_await file.ReadAt(number * kBlockBytes, kBlockBytes);
    if (written && synced && read && Payload(*read).ToString() == text) ++good;
  }
}

TYPED_TEST(DiskContract, ConcurrentWritesAndSyncs) {
  const auto file = this->MustOpen();
  int good = 0;
  std::vector<Task<void>> tasks;
  for (std::uint64_t i = 0; i < 50; ++i) tasks.push_back(WriteAndSync(*file, i, good));
  this->bench_.RunAll(std::move(tasks));
  EXPECT_EQ(good, 150);
}

}  // namespace
}  // namespace gabion
