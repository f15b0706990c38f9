// What a sync costs, counted at the seam.
#include <gtest/gtest.h>

#include "tests/unit/chunkserver/store/sim_store.h"

namespace gabion {
namespace {

/// A disk that counts.
class CountingDisk final : public Disk {
 public:
  explicit CountingDisk(Disk& disk) : disk_(disk) {}

  Task<Result<std::unique_ptr<DiskFile>>> Open(std::string name, std::uint64_t size_bytes) override {
    Result<std::unique_ptr<DiskFile>> opened = co_await disk_.Open(name, size_bytes);
    if (!opened) co_return opened.error();
    std::unique_ptr<DiskFile> counting = std::make_unique<File>(*this, std::move(*opened));
    co_return std::move(counting);
  }
  Task<Result<DiskSpace>> Space() override { return disk_.Space(); }
  Task<Result<std::uint64_t>> SetAside(std::uint64_t bytes) override { return disk_.SetAside(bytes); }
  std::string boot_id() const override { return disk_.boot_id(); }

  int reads = 0, writes = 0, syncs = 0;

 private:
  class File final : public DiskFile {
   public:
    File(CountingDisk& disk, std::unique_ptr<DiskFile> file) : disk_(disk), file_(std::move(file)) {}
    Task<Result<Slice>> ReadAt(std::uint64_t offset_bytes, std::size_t length) override {
      ++disk_.reads;
      return file_->ReadAt(offset_bytes, length);
    }
    Task<Result<void>> WriteAt(std::uint64_t offset_bytes, Payload payload) override {
      ++disk_.writes;
      return file_->WriteAt(offset_bytes, std::move(payload));
    }
    Task<Result<void>> Sync() override {
      ++disk_.syncs;
      return file_->Sync();
    }
    Task<Result<void>> PunchHole(std::uint64_t offset_bytes, std::uint64_t length_bytes) override {
      return file_->PunchHole(offset_bytes, length_bytes);
    }

   private:
    CountingDisk& disk_;
    std::unique_ptr<DiskFile> file_;
  };

  Disk& disk_;
};

class CountingKv final : public KvStore {
 public:
  explicit CountingKv(KvStore& store) : store_(store) {}

  Result<std::optional<std::string>> Get(std::string_view key) override {
    ++reads;
    return store_.Get(key);
  }
  Task<Result<void>> Load(std::string key) override { return store_.Load(std::move(key)); }
  Result<void> Scan(std::string_view first, std::string_view last, const Visitor& visit) override {
    Visitor counting = [&](std::string_view key, std::string_view value) {
      ++reads;
      return visit(key, value);
    };
    return store_.Scan(first, last, counting);
  }
  Task<Result<void>> LoadRange(std::string first, std::string last, std::size_t max_entries) override {
    return store_.LoadRange(std::move(first), std::move(last), max_entries);
  }
  std::unique_ptr<KvSnapshot> TakeSnapshot() override { return store_.TakeSnapshot(); }
  Result<CommitSeq> Apply(const WriteBatch& batch) override {
    ++applies;
    return store_.Apply(batch);
  }
  Task<Result<void>> WaitApplied(CommitSeq seq) override { return store_.WaitApplied(seq); }
  Task<Result<CommitSeq>> Sync() override {
    ++syncs;
    return store_.Sync();
  }

  int reads = 0, applies = 0, syncs = 0;

 private:
  KvStore& store_;
};

constexpr ChunkId kChunk{1};
constexpr std::uint32_t kBlock = kBlockBytes;

class SyncTest : public testing::Test {
 protected:
  SyncTest() {
    // What the store does by itself stays out of the counts.
    options_.sync_interval = std::chrono::hours(1);
    options_.upkeep_interval = std::chrono::hours(1);
    OpenStore();
  }
  ~SyncTest() override {
    if (store_ != nullptr) CloseStore();
  }

  void OpenStore() {
    store_ = std::make_unique<ExtentStore>(machine_.env(), disk_, index_, "disk", options_);
    Result<void> opened = world_.RunUntilDone(store_->Open());
    CHECK(opened.has_value());
    // A start leaves the slabs to be synced.
    Sync();
    Forget();
  }
  void CloseStore() {
    world_.RunUntilDone(store_->Stop());
    store_.reset();
  }
  void Write(std::uint32_t offset_bytes, std::size_t length, bool sync) {
    Result<void> written =
        world_.RunUntilDone(store_->Write(MakeWrite(kChunk, offset_bytes, Pattern(offset_bytes, length), sync)));
    CHECK(written.has_value());
  }
  void Sync() {
    Result<void> synced = world_.RunUntilDone(store_->Sync());
    CHECK(synced.has_value());
  }
  static Task<void> MustSync(ExtentStore& store) {
    Result<void> synced = co_await store.Sync();
    CHECK(synced.has_value());
  }
  static Task<void> MustWriteAndSync(ExtentStore& store, ChunkWrite write) {
    Result<void> written = co_await store.Write(std::move(write));
    CHECK(written.has_value());
  }
  void Forget() {
    disk_.reads = disk_.writes = disk_.syncs = 0;
    index_.reads = index_.applies = index_.syncs = 0;
  }

  SimWorld world_{1};
  SimMachine& machine_ = world_.AddMachine("server");
  CountingDisk disk_{machine_.disk("disk")};
  CountingKv index_{machine_.kv("index")};
  StoreOptions options_;
  std::unique_ptr<ExtentStore> store_;
};

TEST_F(SyncTest, PlainWritesAreNotSynced) {
  for (std::uint32_t i = 0; i < 20; ++i) Write(i * kBlock, kBlock, false);
  EXPECT_EQ(disk_.syncs + index_.syncs, 0);
  EXPECT_EQ(disk_.writes, 20);
  EXPECT_EQ(index_.applies, 21) << "one each, and the first slab";
  EXPECT_EQ(disk_.reads, 0) << "whole blocks replace what was there unseen";
}

TEST_F(SyncTest, SmallDurableWriteCostsOneFlushAndNoWrite) {
  Write(0, kBlock, true);
  EXPECT_EQ(disk_.syncs, 0);
  EXPECT_EQ(disk_.writes, 0);
  EXPECT_EQ(index_.syncs, 1);
  EXPECT_EQ(index_.applies, 1);
}

TEST_F(SyncTest, LargeDurableWriteCostsOneOfEach) {
  Write(0, 1024 * 1024, true);
  EXPECT_EQ(disk_.syncs, 1);
  EXPECT_EQ(disk_.writes, 1);
  EXPECT_EQ(index_.syncs, 1);
}

TEST_F(SyncTest, ConcurrentSyncsShareARound) {
  for (std::uint32_t i = 0; i < 10; ++i) Write(i * kBlock, kBlock, false);
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 50; ++i) tasks.push_back(MustSync(*store_));
  world_.RunUntilAllDone(std::move(tasks));
  EXPECT_LE(disk_.syncs, 2);
  EXPECT_LE(index_.syncs, 2);
}

TEST_F(SyncTest, ConcurrentLargeDurableWritesShareRounds) {
  Write(0, kBlock, false);
  Sync();
  Forget();
  std::vector<Task<void>> tasks;
  for (std::uint32_t i = 0; i < 40; ++i) {
    ChunkWrite write = MakeWrite(kChunk, i * 64 * 1024, Pattern(i + 1, 64 * 1024), true);
    tasks.push_back(MustWriteAndSync(*store_, std::move(write)));
  }
  world_.RunUntilAllDone(std::move(tasks));
  EXPECT_LE(disk_.syncs, 4);
  EXPECT_LE(index_.syncs, 4);
}

TEST_F(SyncTest, NothingToSyncCostsNothing) {
  Write(0, kBlock, false);
  Sync();
  Forget();
  for (int i = 0; i < 5; ++i) Sync();
  EXPECT_EQ(disk_.syncs + index_.syncs, 0);
}

TEST_F(SyncTest, TrimOfWholeAndPartBlocksCostsOneFlush) {
  Write(0, 10 * kBlock, false);
  Sync();
  Forget();
  ChunkTrim trim;
  trim.chunk = kChunk;
  trim.length_bytes = 4 * kBlock + 100;
  trim.generation = 1;
  ASSERT_TRUE(world_.RunUntilDone(store_->Trim(trim)).has_value());
  EXPECT_EQ(disk_.syncs, 0);
  EXPECT_EQ(index_.syncs, 1);
}

TEST_F(SyncTest, CopyMovesNoBytes) {
  Write(0, 2 * 1024 * 1024, false);
  Forget();
  ChunkCopy copy;
  copy.source = kChunk;
  copy.target = ChunkId(2);
  copy.length_bytes = 2 * 1024 * 1024;
  ASSERT_TRUE(world_.RunUntilDone(store_->Copy(copy)).has_value());
  EXPECT_EQ(disk_.reads + disk_.writes, 0);
  EXPECT_EQ(index_.applies, 1);
}

TEST_F(SyncTest, StreamIsReadInFewCalls) {
  Write(0, 4 * 1024 * 1024, false);
  Forget();
  Result<ChunkRead> read = world_.RunUntilDone(store_->Read(kChunk, 0, 4 * 1024 * 1024));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(disk_.reads, 1);
}

TEST_F(SyncTest, StartReadsNoChunks) {
  std::vector<ChunkId> chunks;
  for (std::uint64_t i = 0; i < 300; ++i) {
    chunks.push_back(ChunkId(1 + i));
    ChunkWrite write = MakeWrite(chunks.back(), 0, Pattern(i, 100 * 1024));
    ASSERT_TRUE(world_.RunUntilDone(store_->Write(std::move(write))).has_value());
  }
  Sync();
  ASSERT_TRUE(world_.RunUntilDone(store_->ClearUnsettled(PgId(7), chunks)).has_value());
  // The upkeep of an hour later has ended what was pending.
  world_.RunFor(std::chrono::hours(3));
  CloseStore();
  machine_.LosePower();
  Forget();
  SimDisk& disk = machine_.disk("disk");
  CountingDisk counting_disk(disk);
  CountingKv counting_index(machine_.kv("index"));
  ExtentStore store(machine_.env(), counting_disk, counting_index, "disk", options_);
  ASSERT_TRUE(world_.RunUntilDone(store.Open()).has_value());
  EXPECT_EQ(store.core().usage().chunks, 300u);
  EXPECT_LT(counting_index.reads, 20) << "superblock, count, and a record for each 4 MiB in use";
  EXPECT_EQ(counting_disk.reads, 0);
  world_.RunUntilDone(store.Stop());
}

}  // namespace
}  // namespace gabion
