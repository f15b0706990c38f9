#include "common/env/real/rocksdb_kv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "common/env/sim/sim_random.h"
#include "tests/contract/bench.h"

namespace gabion {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

std::unique_ptr<RocksKv> MustOpen(const fs::path& path) {
  Result<std::unique_ptr<RocksKv>> store = RocksKv::Open(path, RocksKvOptions());
  if (!store) ADD_FAILURE() << store.error().ToString();
  CHECK(store.has_value());
  return std::move(*store);
}

void MustPut(RocksKv& store, const std::string& key, const std::string& value) {
  WriteBatch batch;
  batch.Put(key, value);
  CHECK(store.Apply(batch).has_value());
}

fs::path FileThatBeginsOrEndsWith(const fs::path& directory, std::string_view part) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(part) || name.ends_with(part)) return entry.path();
  }
  ADD_FAILURE() << "no file " << part << " in " << directory;
  return {};
}

int CountKeys(RocksKv& store, RealBench& bench) {
  CHECK(bench.Run(store.LoadRange("", "", 1'000'000)).has_value());
  int count = 0;
  Result<void> scanned = store.Scan("", "", [&count](std::string_view, std::string_view) { return ++count > 0; });
  CHECK(scanned.has_value());
  return count;
}

TEST(RocksKvTest, MakesItsDirectory) {
  TempDir directory;
  MustPut(*MustOpen(directory.path() / "a/b/c"), "key", "value");
}

TEST(RocksKvTest, SecondOpenerIsToldThatItIsInUse) {
  TempDir directory;
  const std::unique_ptr<RocksKv> first = MustOpen(directory.path());
  Result<std::unique_ptr<RocksKv>> second = RocksKv::Open(directory.path(), RocksKvOptions());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::kBusy);
  EXPECT_THAT(second.error().message(), HasSubstr("in use by another process"));
}

TEST(RocksKvTest, DirectoryThatCannotBeMadeIsNamed) {
  TempDir directory;
  std::ofstream(directory.path() / "file") << "not a directory";
  Result<std::unique_ptr<RocksKv>> store = RocksKv::Open(directory.path() / "file/store", RocksKvOptions());
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code(), ErrorCode::kIo);
  EXPECT_THAT(store.error().message(), HasSubstr("file/store"));
}

TEST(RocksKvTest, CorruptManifestIsReported) {
  TempDir directory;
  MustPut(*MustOpen(directory.path()), "key", "value");
  const fs::path manifest = FileThatBeginsOrEndsWith(directory.path(), "MANIFEST-");
  std::fstream(manifest, std::ios::in | std::ios::out | std::ios::binary)
      .write("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10);
  Result<std::unique_ptr<RocksKv>> store = RocksKv::Open(directory.path(), RocksKvOptions());
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code(), ErrorCode::kCorrupt) << store.error().ToString();
  EXPECT_THAT(store.error().message(), HasSubstr("opening store " + directory.path().string()));
}

// A power loss as the log sees it: what was synced is there, then part of what was not, torn anywhere.
TEST(RocksKvTest, TornLogLosesOnlyWhatWasNotSynced) {
  RealBench bench;
  TempDir directory;
  const fs::path original = directory.path() / "original";
  std::unique_ptr<RocksKv> store = MustOpen(original);
  for (int i = 0; i < 10; ++i) MustPut(*store, "synced" + std::to_string(i), std::string(1000, 's'));
  ASSERT_TRUE(bench.Run(store->Sync()).has_value());
  const fs::path log = FileThatBeginsOrEndsWith(original, ".log");
  const std::uintmax_t synced_bytes = fs::file_size(log);
  for (int i = 0; i < 10; ++i) MustPut(*store, "unsynced" + std::to_string(i), std::string(1000, 'u'));
  const std::uintmax_t all_bytes = fs::file_size(log);
  ASSERT_GT(all_bytes, synced_bytes + 10'000);

  for (std::uintmax_t torn_at = synced_bytes; torn_at <= all_bytes; torn_at += 997) {
    const fs::path copy = directory.path() / "copy";
    fs::copy(original, copy, fs::copy_options::recursive);
    fs::resize_file(copy / log.filename(), torn_at);
    // A hole in front of a page that made it to the disk.
    fs::resize_file(copy / log.filename(), torn_at + 4096);
    std::ofstream(copy / log.filename(), std::ios::app | std::ios::binary) << "page of something later";
    const std::unique_ptr<RocksKv> recovered = MustOpen(copy);
    const int count = CountKeys(*recovered, bench);
    EXPECT_GE(count, 10) << "torn at " << torn_at;
    EXPECT_LE(count, 10 + static_cast<int>((torn_at - synced_bytes) / 1000)) << "torn at " << torn_at;
    fs::remove_all(copy);
  }
}

TEST(RocksKvTest, CorruptDataIsNeverReturned) {
  RealBench bench;
  TempDir directory;
  {
    const std::unique_ptr<RocksKv> store = MustOpen(directory.path());
    for (int i = 0; i < 100; ++i)
      MustPut(*store, "key" + std::to_string(i), std::string(1000, static_cast<char>('a' + i % 7)));
  }
  { MustOpen(directory.path()); }  // moves what is in the log to a table
  const fs::path table = FileThatBeginsOrEndsWith(directory.path(), ".sst");
  std::fstream file(table, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file.write("flipped", 7);
  file.close();
  const std::unique_ptr<RocksKv> store = MustOpen(directory.path());
  Result<void> loaded = bench.Run(store->LoadRange("", "", 1000));
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code(), ErrorCode::kCorrupt) << loaded.error().ToString();
}

RocksKvOptions OfBoot(const std::string& boot_id) {
  RocksKvOptions options;
  options.boot_id = boot_id;
  return options;
}

void FlipBit(const fs::path& path, std::uintmax_t offset, unsigned bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(static_cast<unsigned>(byte) ^ (1u << bit)));
}

// The log's own recovery ends in silence where a record does not fit its checksum.
TEST(RocksKvTest, ALogThatWentBadIsNoticedWhileTheMachineRuns) {
  RealBench bench;
  TempDir directory;
  const fs::path original = directory.path() / "original";
  Result<std::unique_ptr<RocksKv>> store = RocksKv::Open(original, OfBoot("boot-1"));
  ASSERT_TRUE(store.has_value());
  for (int i = 0; i < 20; ++i) MustPut(**store, "key" + std::to_string(i), std::string(1000, 'v'));
  ASSERT_TRUE(bench.Run((*store)->Sync()).has_value());
  const fs::path killed = directory.path() / "killed";
  fs::copy(original, killed, fs::copy_options::recursive);
  {
    const Result<std::unique_ptr<RocksKv>> intact = RocksKv::Open(killed, OfBoot("boot-1"));
    ASSERT_TRUE(intact.has_value()) << intact.error().ToString();
    EXPECT_EQ(CountKeys(**intact, bench), 20);
  }
  const fs::path log = FileThatBeginsOrEndsWith(original, ".log").filename();
  const std::uintmax_t bytes = fs::file_size(original / log);
  for (const std::uintmax_t offset : {std::uintmax_t{5}, bytes / 2, bytes - 3}) {
    const fs::path copy = directory.path() / "copy";
    fs::copy(original, copy, fs::copy_options::recursive);
    FlipBit(copy / log, offset, 4);
    const Result<std::unique_ptr<RocksKv>> damaged = RocksKv::Open(copy, OfBoot("boot-1"));
    ASSERT_FALSE(damaged.has_value()) << "flipped at " << offset;
    EXPECT_EQ(damaged.error().code(), ErrorCode::kCorrupt) << damaged.error().ToString();
    fs::remove_all(copy);
    // After a power loss it cannot be told from a torn end.
    fs::copy(original, copy, fs::copy_options::recursive);
    FlipBit(copy / log, offset, 4);
    EXPECT_TRUE(RocksKv::Open(copy, OfBoot("boot-2")).has_value());
    fs::remove_all(copy);
  }
}

// Whatever bit of whatever file turns over: what is read is right, or said to be damaged.
TEST(RocksKvTest, NoFlippedBitIsEverRead) {
  RealBench bench;
  TempDir directory;
  const fs::path original = directory.path() / "original";
  for (int round = 0; round < 3; ++round) {  // tables, a manifest with a history, and a log
    Result<std::unique_ptr<RocksKv>> store = RocksKv::Open(original, OfBoot("boot-1"));
    ASSERT_TRUE(store.has_value());
    for (int i = 0; i < 200; ++i) MustPut(**store, "key" + std::to_string(round * 100 + i), std::string(50, 'v'));
    if (round == 2) fs::copy(original, directory.path() / "killed", fs::copy_options::recursive);
  }
  const fs::path killed = directory.path() / "killed";
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(killed)) {
    if (fs::file_size(entry.path()) > 0 && entry.path().filename() != "LOG") files.push_back(entry.path().filename());
  }
  std::sort(files.begin(), files.end());
  SimRandom random(1);
  int noticed = 0;
  for (int flip = 0; flip < 150; ++flip) {
    const fs::path copy = directory.path() / "copy";
    fs::copy(killed, copy, fs::copy_options::recursive);
    const fs::path file = files[static_cast<std::size_t>(flip) % files.size()];
    const std::uintmax_t offset = random.Below(fs::file_size(copy / file));
    FlipBit(copy / file, offset, static_cast<unsigned>(random.Below(8)));
    const Result<std::unique_ptr<RocksKv>> store = RocksKv::Open(copy, OfBoot("boot-1"));
    const std::string where = file.string() + " at " + std::to_string(offset);
    if (!store) {
      EXPECT_EQ(store.error().code(), ErrorCode::kCorrupt) << where << ": " << store.error().ToString();
      ++noticed;
    } else if (Result<void> loaded = bench.Run((*store)->LoadRange("", "", 1'000'000)); !loaded) {
      EXPECT_EQ(loaded.error().code(), ErrorCode::kCorrupt) << where << ": " << loaded.error().ToString();
      ++noticed;
    } else {
      EXPECT_EQ(CountKeys(**store, bench), 400) << where;
    }
    fs::remove_all(copy);
  }
  EXPECT_GT(noticed, 30);
}

Task<void> PutAndSync(RocksKv& store, int first, int count, std::atomic<int>& good) {
  for (int i = first; i < first + count; ++i) {
    WriteBatch batch;
    batch.Put("key" + std::to_string(i), "value");
    Result<CommitSeq> applied = store.Apply(batch);
    Result<CommitSeq> durable = co_await store.Sync();
    if (applied && durable && *durable >= *applied) ++good;
  }
}

TEST(RocksKvTest, ServesSeveralLoopsAtOnce) {
  TempDir directory;
  std::array<RealBench, 4> benches;  // outlive the store, whose threads wake them
  const std::unique_ptr<RocksKv> store = MustOpen(directory.path());
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&store, &good, &bench = benches[static_cast<std::size_t>(thread)], thread] {
      std::vector<Task<void>> tasks;
      for (int i = 0; i < 4; ++i) tasks.push_back(PutAndSync(*store, (thread * 4 + i) * 10, 10, good));
      bench.RunAll(std::move(tasks));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 120);
  EXPECT_EQ(CountKeys(*store, benches.back()), 120);
}

}  // namespace
}  // namespace gabion
