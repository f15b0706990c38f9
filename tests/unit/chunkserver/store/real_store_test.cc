// The extent store on a real directory and RocksDB, with calls from several event loops.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "chunkserver/store/extent_store.h"
#include "common/coro/task_group.h"
#include "common/env/real/real_disk.h"
#include "common/env/real/rocksdb_kv.h"
#include "common/env/sim/sim_random.h"
#include "tests/contract/bench.h"
#include "tests/unit/chunkserver/store/sim_store.h"
#include "tests/unit/common/rpc/loops.h"

namespace gabion {
namespace {

constexpr ChunkId kChunk{1};
constexpr std::uint32_t kBlock = kBlockBytes;

class RealStoreTest : public testing::Test {
 protected:
  RealStoreTest() {
    std::filesystem::create_directories(directory_.path() / "slabs");
    options_.slab_bytes = 16 * kMiB;
    options_.upkeep_interval = std::chrono::milliseconds(20);
    options_.sync_interval = std::chrono::milliseconds(40);
    OpenStore();
  }
  ~RealStoreTest() override { CloseStore(); }

  void OpenStore() {
    Result<std::unique_ptr<Disk>> disk = OpenRealDisk(directory_.path() / "slabs", pool_);
    CHECK(disk.has_value());
    disk_ = std::move(*disk);
    Result<std::unique_ptr<RocksKv>> index = RocksKv::Open(directory_.path() / "index", RocksKvOptions());
    CHECK(index.has_value());
    index_ = std::move(*index);
    store_ = std::make_unique<ExtentStore>(loops_.env(), *disk_, *index_, "disk", options_);
    Result<void> opened = loops_.Run(store_->Open());
    ASSERT_TRUE(opened.has_value()) << opened.error().ToString();
  }
  void CloseStore() {
    loops_.Run(store_->Stop());
    store_.reset();
    index_.reset();
    disk_.reset();
  }
  void Restart() {
    CloseStore();
    OpenStore();
  }
  void MustWrite(ChunkId chunk, std::uint32_t offset_bytes, std::string_view bytes, bool sync = false) {
    Result<void> written = loops_.Run(store_->Write(MakeWrite(chunk, offset_bytes, bytes, sync)));
    ASSERT_TRUE(written.has_value()) << written.error().ToString();
  }
  std::string MustRead(ChunkId chunk, std::uint32_t offset_bytes, std::uint32_t length_bytes) {
    Result<ChunkRead> read = loops_.Run(store_->Read(chunk, offset_bytes, length_bytes));
    CHECK(read.has_value());
    return BytesOf(*read, length_bytes);
  }
  std::uint64_t HostBytes() {
    struct stat status {};
    CHECK(::stat((directory_.path() / "slabs/slab-000000").c_str(), &status) == 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }

  TempDir directory_;
  BlockingPool pool_{4};
  Loops loops_{2};
  StoreOptions options_;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<RocksKv> index_;
  std::unique_ptr<ExtentStore> store_;
};

TEST_F(RealStoreTest, KeepsBytesThroughRestarts) {
  std::string bytes = Pattern(1, 3'000'000);
  MustWrite(kChunk, 4096, bytes);
  MustWrite(kChunk, 100, "small and durable", true);
  ASSERT_TRUE(loops_.Run(store_->Sync()).has_value());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(MustRead(kChunk, 0, 4 * kBlock).substr(100, 17), "small and durable");
    EXPECT_EQ(MustRead(kChunk, kBlock, 2'000'000 / kBlock * kBlock), bytes.substr(0, 2'000'000 / kBlock * kBlock));
    Restart();
  }
}

TEST_F(RealStoreTest, RemovedBytesGoBackToTheHost) {
  MustWrite(kChunk, 0, Pattern(1, 4 * kMiB));
  MustWrite(ChunkId(2), 0, Pattern(2, kBlock));
  ASSERT_TRUE(loops_.Run(store_->Sync()).has_value());
  std::uint64_t before = HostBytes();
  EXPECT_GE(before, 4 * kMiB);
  ASSERT_TRUE(loops_.Run(store_->Remove(kChunk)).has_value());
  // The upkeep does it by and by.
  for (int i = 0; i < 500 && HostBytes() > kMiB; ++i) {
    loops_.Run(loops_.env().clock.SleepFor(std::chrono::milliseconds(20)));
  }
  EXPECT_LT(HostBytes(), kMiB);
  EXPECT_EQ(MustRead(ChunkId(2), 0, kBlock), Pattern(2, kBlock));
}

// One of those who write and read the same blocks from different loops: each block is always of one writer.
Task<void> WriteAndRead(ExtentStore& store, char name) {
  SimRandom random(static_cast<std::uint64_t>(name));
  for (int i = 0; i < 150; ++i) {
    std::uint32_t first = static_cast<std::uint32_t>(random.Below(40));
    std::uint32_t count = static_cast<std::uint32_t>(1 + random.Below(20));
    std::string bytes(count * kBlock, name);
    ChunkWrite write = MakeWrite(kChunk, first * kBlock, bytes, random.Chance(1, 10));
    Result<void> written = co_await store.Write(std::move(write));
    EXPECT_TRUE(written.has_value());
    Result<ChunkRead> read = co_await store.Read(kChunk, first * kBlock, count * kBlock);
    EXPECT_TRUE(read.has_value());
    if (!read) co_return;
    std::string seen = BytesOf(*read, count * kBlock);
    for (std::uint32_t block = 0; block < count; ++block) {
      EXPECT_EQ(seen.substr(block * kBlock, kBlock), std::string(kBlock, seen[block * kBlock]));
    }
  }
}

TEST_F(RealStoreTest, LoopsShareIt) {
  TaskGroup tasks;
  for (char name = 'a'; name < 'i'; ++name) {
    tasks.Spawn(loops_.env(static_cast<std::size_t>(name % 2)).executor, WriteAndRead(*store_, name));
  }
  loops_.Run(tasks.Join());
  std::string last = MustRead(kChunk, 0, 60 * kBlock);
  Restart();
  EXPECT_EQ(MustRead(kChunk, 0, 60 * kBlock), last);
}

}  // namespace
}  // namespace gabion
