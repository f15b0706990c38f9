// Chunkservers that die, rot, fill up or cannot be reached.
#include "common/base/byte_units.h"
#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ChunkserverTest : public testing::Test {
 protected:
  /// Turns over a bit in every block of every slab of the server that has `marker`; how many.
  int Rot(SimCluster& cluster, const std::string& server, const std::string& marker) {
    SimPlatter& platter = cluster.platter(server);
    int flipped = 0;
    for (const std::string& file : platter.FileNames()) {
      const std::string stored = platter.Contents(file, 0, cluster.options().slab_bytes);
      for (std::size_t at = stored.find(marker); at != std::string::npos; at = stored.find(marker, at + 4 * kKiB)) {
        platter.FlipBit(file, at + 7, 3);
        ++flipped;
      }
    }
    return flipped;
  }
  int CountOn(SimCluster& cluster, const std::string& server, const std::string& marker) {
    int count = 0;
    for (const std::string& file : cluster.platter(server).FileNames()) {
      const std::string stored = cluster.platter(server).Contents(file, 0, cluster.options().slab_bytes);
      for (std::size_t at = stored.find(marker); at != std::string::npos; at = stored.find(marker, at + 1)) ++count;
    }
    return count;
  }
};

TEST_F(ChunkserverTest, KillDuringAWriteIsAPause) {
  SimCluster cluster({.seed = 11});
  PosixCalls client(cluster, "client1");
  const std::string bytes = Pattern(8 * kMiB, 1);
  for (const std::string& name : cluster.chunkservers()) {
    auto written = cluster.Begin(client.WriteFileDurably("/file-" + name, bytes));
    cluster.world().RunFor(milliseconds(4));
    cluster.Kill(name);
    cluster.world().RunFor(seconds(3));
    EXPECT_FALSE(written->has_value()) << "nothing was under way when " << name << " died";
    const Duration before = cluster.world().elapsed();
    cluster.Start(name);
    ASSERT_TRUE(IsOk(cluster.Await(written)));
    EXPECT_LT(cluster.world().elapsed() - before, seconds(15));
    const Result<std::string> read = cluster.Do(client.ReadFile("/file-" + name));
    ASSERT_TRUE(IsOk(read));
    EXPECT_EQ(*read, bytes);
  }
}

TEST_F(ChunkserverTest, ReadsGoOnWithoutTwoOfThree) {
  SimCluster cluster({.seed = 12});
  PosixCalls client(cluster, "client1");
  const std::string bytes = Pattern(1 * kMiB, 1);
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFile("/file", bytes))));
  cluster.Kill("chunk1");
  cluster.Kill("chunk2");
  const Duration before = cluster.world().elapsed();
  const Result<std::string> read = cluster.Do(client.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, bytes);
  EXPECT_LT(cluster.world().elapsed() - before, seconds(20));
}

TEST_F(ChunkserverTest, SlowServerIsNotWaitedForByReaders) {
  SimCluster cluster({.seed = 24});
  PosixCalls client(cluster, "client1");
  const std::string bytes = Pattern(64 * kKiB, 1);
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/file", bytes))));
  cluster.world().RunFor(seconds(30));                      // until all copies may answer
  for (const std::string& name : cluster.chunkservers()) {  // one of them is the primary, the first to be asked
    cluster.network().Block(name, "client1");
    const Duration before = cluster.world().elapsed();
    const Result<std::string> read = cluster.Do(client.ReadFile("/file"));
    ASSERT_TRUE(IsOk(read));
    EXPECT_EQ(*read, bytes);
    EXPECT_LT(cluster.world().elapsed() - before, milliseconds(500)) << "without " << name;
    cluster.network().Unblock(name, "client1");
    cluster.world().RunFor(seconds(10));
  }
}

TEST_F(ChunkserverTest, RottenBlocksAreReadElsewhere) {
  SimCluster cluster({.seed = 13});
  PosixCalls client(cluster, "client1");
  const std::string marker = "find-me-on-the-platter";
  std::string bytes;
  for (int i = 0; i < 64; ++i) bytes += marker + std::string(4 * kKiB - marker.size(), static_cast<char>('a' + i % 20));
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/file", bytes))));
  cluster.world().RunFor(seconds(30));  // small writes move from the index to their blocks
  ASSERT_GT(Rot(cluster, "chunk1", marker), 0);
  ASSERT_GT(Rot(cluster, "chunk2", marker), 0);
  const Result<std::string> read = cluster.Do(client.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, bytes);
}

TEST_F(ChunkserverTest, WhatAReaderFindsRottenIsRepairedWithoutAPassOfScrub) {
  SimCluster cluster({.seed = 20});
  PosixCalls client(cluster, "client1");
  const std::string marker = "find-me-on-the-platter";
  const std::string bytes = marker + std::string(64 * kKiB - marker.size(), 'x');
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/" + std::to_string(i), bytes))));
  cluster.world().RunFor(seconds(30));
  ASSERT_GE(Rot(cluster, "chunk1", marker), 12);
  ASSERT_EQ(CountOn(cluster, "chunk1", marker), 0);
  for (int i = 0; i < 12; ++i) {
    const Result<std::string> read = cluster.Do(client.ReadFile("/" + std::to_string(i)));
    ASSERT_TRUE(IsOk(read));
    EXPECT_EQ(*read, bytes);
  }
  cluster.world().RunFor(seconds(5));
  // Of the files that were read from there: those whose primary it is.
  const int repaired = CountOn(cluster, "chunk1", marker);
  EXPECT_GT(repaired, 0);
  EXPECT_LT(repaired, 12);
  const Result<proto::AdminStatusReply> status = cluster.Do(cluster.Status());
  ASSERT_TRUE(IsOk(status));
  std::uint64_t reported_bytes = 0;
  for (const proto::ServerEntry& server : status->servers()) {
    reported_bytes += server.scrub().repaired_bytes();
    EXPECT_EQ(server.scrub().passes(), 0u);
    EXPECT_EQ(server.scrub().failed_chunks(), 0u);
  }
  EXPECT_EQ(reported_bytes, static_cast<std::uint64_t>(repaired) * 4 * kKiB);
}

TEST_F(ChunkserverTest, WithoutAGoodCopyThereIsAnErrorAndNoData) {
  SimCluster cluster({.seed = 14});
  PosixCalls client(cluster, "client1");
  const std::string marker = "find-me-on-the-platter";
  const std::string bytes = marker + std::string(64 * kKiB - marker.size(), 'x');
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/file", bytes))));
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/other", "fine"))));
  cluster.world().RunFor(seconds(30));
  for (const std::string& name : cluster.chunkservers()) ASSERT_GT(Rot(cluster, name, marker), 0);
  const Result<std::string> read = cluster.Do(client.ReadFile("/file"));
  EXPECT_EQ(NameOf(read), "IO");
  const Result<std::string> other = cluster.Do(client.ReadFile("/other"));
  ASSERT_TRUE(IsOk(other));
  EXPECT_EQ(*other, "fine");
}

TEST_F(ChunkserverTest, FullDiskIsNoSpaceAndLosesNothing) {
  SimCluster cluster({.seed = 15, .slab_bytes = 8 * kMiB, .disk_bytes = 48 * kMiB});
  PosixCalls client(cluster, "client1");
  std::vector<std::string> kept;
  Result<void> outcome;
  for (int i = 0; i < 100 && outcome; ++i) {
    const std::string path = "/file" + std::to_string(i);
    outcome = cluster.Do(client.WriteFileDurably(path, Pattern(2 * kMiB, static_cast<std::uint64_t>(i))));
    if (outcome) kept.push_back(path);
  }
  EXPECT_EQ(NameOf(outcome), "NO_SPACE");
  ASSERT_GT(kept.size(), 5u);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const Result<std::string> read = cluster.Do(client.ReadFile(kept[i]));
    ASSERT_TRUE(IsOk(read)) << kept[i];
    EXPECT_EQ(*read, Pattern(2 * kMiB, i)) << kept[i];
  }
  // Space that is given back can be used again.
  for (const std::string& path : kept) ASSERT_TRUE(IsOk(cluster.Do(client.Unlink(path))));
  ASSERT_TRUE(
      cluster.WaitForStatus([](const proto::AdminStatusReply& status) { return status.garbage_chunks() <= 3; }));
  cluster.world().RunFor(seconds(10));
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/after", Pattern(2 * kMiB, 77)))));
}

TEST_F(ChunkserverTest, DeadDiskDoesNotStopReaders) {
  SimCluster cluster({.seed = 16});
  PosixCalls client(cluster, "client1");
  const std::string bytes = Pattern(1 * kMiB, 1);
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/file", bytes))));
  cluster.platter("chunk1").SetDead(true);
  for (int i = 0; i < 5; ++i) {
    const Result<std::string> read = cluster.Do(client.ReadFile("/file"));
    ASSERT_TRUE(IsOk(read));
    EXPECT_EQ(*read, bytes);
    cluster.world().RunFor(seconds(2));
  }
}

TEST_F(ChunkserverTest, ServerCutOffFromTheMetaserverStopsServingWrites) {
  SimCluster cluster({.seed = 17});
  PosixCalls client(cluster, "client1");
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFile("/file", "before"))));
  for (const std::string& name : cluster.chunkservers()) cluster.network().Cut("meta", name);
  cluster.world().RunFor(seconds(30));  // every lease has run out
  auto written = cluster.Begin(client.WriteFileDurably("/file", "after"));
  cluster.world().RunFor(seconds(20));
  EXPECT_FALSE(written->has_value());
  cluster.network().MendAll();
  ASSERT_TRUE(IsOk(cluster.Await(written)));
  const Result<std::string> read = cluster.Do(client.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, "after");
}

TEST_F(ChunkserverTest, WriterCutOffFromOneServerFinishesWhenTheWireIsWhole) {
  SimCluster cluster({.seed = 18});
  PosixCalls client(cluster, "client1");
  const std::string bytes = Pattern(4 * kMiB, 1);
  cluster.network().Cut("client1", "chunk1");
  cluster.network().Cut("chunk2", "chunk3");
  auto written = cluster.Begin(client.WriteFileDurably("/file", bytes));
  cluster.world().RunFor(seconds(20));
  cluster.network().MendAll();
  ASSERT_TRUE(IsOk(cluster.Await(written, std::chrono::minutes(2))));
  const Result<std::string> read = cluster.Do(client.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, bytes);
}

TEST_F(ChunkserverTest, PausedServerIsAPauseToo) {
  SimCluster cluster({.seed = 19});
  PosixCalls client(cluster, "client1");
  const std::string bytes = Pattern(2 * kMiB, 1);
  cluster.machine("chunk2").Pause();
  auto written = cluster.Begin(client.WriteFileDurably("/file", bytes));
  cluster.world().RunFor(seconds(12));
  cluster.machine("chunk2").Resume();
  ASSERT_TRUE(IsOk(cluster.Await(written)));
  const Result<std::string> read = cluster.Do(client.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, bytes);
}

}  // namespace
}  // namespace gabion
