// How a member that was away comes to have everything, while the others go on.
#include "chunkserver/pg/join.h"

#include "tests/unit/chunkserver/background.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kChunkLength = 256 * 1024;

std::map<std::uint64_t, std::string> WriteChunks(TestCluster& cluster, std::uint64_t count) {
  std::map<std::uint64_t, std::string> chunks;
  for (std::uint64_t chunk = 1; chunk <= count; ++chunk) {
    chunks[chunk] = Pattern(kChunkLength, chunk);
    EXPECT_EQ(CodeOf(cluster.Write(chunk, 0, chunks[chunk])), ErrorCode::kOk);
  }
  return chunks;
}

/// What this server has, without the help of others: it is asked in an epoch in which it is alone.
void ExpectAlone(TestCluster& cluster, std::uint32_t server, const std::map<std::uint64_t, std::string>& chunks) {
  cluster.Elect({server});
  for (const auto& [chunk, bytes] : chunks) {
    Result<std::string> read = cluster.Read(static_cast<int>(server), chunk, 0, kChunkLength);
    ASSERT_TRUE(read.has_value()) << read.error().ToString();
    EXPECT_TRUE(read->substr(0, bytes.size()) == bytes) << "chunk " << chunk;
    EXPECT_EQ(cluster.Stat(static_cast<int>(server), chunk)->length_bytes(), bytes.size()) << "chunk " << chunk;
  }
}

std::uint64_t BytesSent(TestCluster& cluster) {
  proto::HeartbeatRequest report = cluster.NextHeartbeat(cluster.primary());
  EXPECT_EQ(report.progress_size(), 1);
  return report.progress_size() == 1 ? report.progress(0).bytes_sent() : 0;
}

TEST(JoinTest, OneThatWasAwayGetsWhatHasChangedAndNoMore) {
  TestCluster cluster;
  std::map<std::uint64_t, std::string> chunks = WriteChunks(cluster, 60);
  ASSERT_TRUE(cluster.WaitUntilNothingIsUnsettled());
  cluster.Elect({1, 2});
  // One percent, and of each kind of change one.
  constexpr int kBlocks = 32;
  for (std::uint64_t i = 0; i < kBlocks; ++i) {
    std::uint64_t chunk = 1 + i * 7 % 50;
    auto offset = static_cast<std::uint32_t>(i * 5 % 64 * kBlockBytes);
    std::string block = Pattern(kBlockBytes, 1000 + i);
    ASSERT_EQ(CodeOf(cluster.Write(chunk, offset, block)), ErrorCode::kOk);
    chunks[chunk].replace(offset, block.size(), block);
  }
  ASSERT_EQ(CodeOf(cluster.Trim(55, 100'001, 1)), ErrorCode::kOk);
  chunks[55].resize(100'001);
  ASSERT_EQ(CodeOf(cluster.Zero(56, 4096, 65'536)), ErrorCode::kOk);
  chunks[56].replace(4096, 65'536, std::string(65'536, '\0'));
  ASSERT_EQ(CodeOf(cluster.Write(61, 0, "new")), ErrorCode::kOk);
  chunks[61] = "new";

  ASSERT_TRUE(cluster.Join(3, 1));
  const std::uint64_t sent = BytesSent(cluster);
  EXPECT_GE(sent, kBlocks * kBlockBytes);
  EXPECT_LT(sent, 60 * kChunkLength * 3 / 100);
  EXPECT_EQ(cluster.NextHeartbeat(1).progress(0).chunks_left(), 0u);
  ExpectAlone(cluster, 3, chunks);
}

TEST(JoinTest, OneThatHasNothingGetsEverything) {
  TestCluster cluster({.seed = 1, .disks = 2});
  cluster.Elect({1, 2});
  std::map<std::uint64_t, std::string> chunks = WriteChunks(cluster, 10);
  ASSERT_TRUE(cluster.Join(3, 0));
  EXPECT_EQ(BytesSent(cluster), 10 * kChunkLength);
  ExpectAlone(cluster, 3, chunks);
}

// Also what the joiner has and the others have not: an epoch of its own that nobody else saw to the end.
TEST(JoinTest, WhatTheOthersHaveNotIsTakenBack) {
  TestCluster cluster;
  std::map<std::uint64_t, std::string> chunks = WriteChunks(cluster, 3);
  ASSERT_TRUE(cluster.WaitUntilNothingIsUnsettled());
  for (const char* other : {"cs1", "cs2"}) cluster.world().network().Cut("cs3", other);
  cluster.metaserver().pg().set_min_replicas(1);
  cluster.Elect({3});
  ASSERT_EQ(CodeOf(cluster.Write(2, 4096, "nobody else has this")), ErrorCode::kOk);
  ASSERT_EQ(CodeOf(cluster.Write(77, 0, "nor this")), ErrorCode::kOk);
  ASSERT_EQ(CodeOf(cluster.Trim(3, 10, 8)), ErrorCode::kOk);
  cluster.world().network().MendAll();
  cluster.Elect({1, 2});
  ASSERT_TRUE(cluster.Join(3, 1));
  EXPECT_FALSE(cluster.HasChunk(3, 77));
  chunks[77] = "";
  ExpectAlone(cluster, 3, chunks);
}

TEST(JoinTest, GoesOnWhileOthersWrite) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    TestCluster cluster({.seed = seed});
    SteadyWriter writer(cluster, 12, milliseconds(10));
    cluster.world().RunFor(seconds(2));
    cluster.Elect({1, 2});
    cluster.world().RunFor(seconds(2));
    const int before = writer.written();
    ASSERT_TRUE(cluster.Join(3, 1));
    EXPECT_GT(writer.written(), before);
    cluster.world().RunFor(seconds(1));
    writer.Stop();
    cluster.Elect({3});
    writer.ExpectIn(3);
  }
}

TEST(JoinTest, JoinerBecomesAMemberWhileOthersWrite) {
  TestCluster cluster;
  SteadyWriter writer(cluster, 6, milliseconds(5));
  cluster.world().RunFor(seconds(2));
  cluster.Elect({1, 2});
  cluster.world().RunFor(seconds(2));
  ASSERT_TRUE(cluster.Join(3, 1));
  cluster.Elect({1, 2, 3});
  const int before = writer.written();
  cluster.world().RunFor(seconds(2));
  EXPECT_GT(writer.written(), before);
  writer.Stop();
  writer.ExpectIn(0);
}

// A joiner rests beside clients: the epoch may end in any state of it.
TEST(JoinTest, GoesOnInTheNextEpoch) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    TestCluster cluster({.seed = seed});
    SteadyWriter writer(cluster, 4, milliseconds(5));
    cluster.world().RunFor(seconds(1));
    cluster.Elect({1, 2});
    cluster.metaserver().LetJoin(3, 1);
    for (int i = 0; i < 20; ++i) {
      cluster.world().RunFor(milliseconds(cluster.world().random().Below(900)));
      cluster.metaserver().pg().set_epoch(cluster.metaserver().pg().epoch() + 1);
      cluster.metaserver().MapChanged();
    }
    ASSERT_TRUE(cluster.WaitUntilCaughtUp(3));
    writer.Stop();
    cluster.Elect({3});
    writer.ExpectIn(3);
  }
}

TEST(JoinTest, OneThatDiesInTheMiddleGoesOnWhereItWas) {
  TestCluster cluster;
  cluster.Elect({1, 2});
  std::map<std::uint64_t, std::string> chunks = WriteChunks(cluster, 40);
  cluster.world().network().options().bytes_per_second = 2'000'000;  // 5 s for all
  cluster.metaserver().LetJoin(3, 0);
  auto half = [&] {
    const auto& progress = cluster.metaserver().heartbeats[1].progress();
    return progress.size() == 1 && progress[0].chunks_left() > 0 && progress[0].bytes_sent() > 20 * kChunkLength;
  };
  ASSERT_TRUE(cluster.world().RunUntil(half, seconds(30)));
  cluster.Kill(3);
  EXPECT_EQ(CodeOf(cluster.Write(1, 0, "beside")), ErrorCode::kOk) << "clients need not wait for it for good";
  chunks[1].replace(0, 6, "beside");
  EXPECT_EQ(CodeOf(cluster.Write(2, 0, "it", false, seconds(1))), ErrorCode::kOk) << "nor at all, once that is known";
  chunks[2].replace(0, 2, "it");
  cluster.StartServer(3);
  ASSERT_TRUE(cluster.WaitUntilCaughtUp(3));
  EXPECT_LT(BytesSent(cluster), 44 * kChunkLength) << "what it has is not sent again";
  ExpectAlone(cluster, 3, chunks);
}

TEST(JoinTest, OneThatWasOutOfReachForAMomentIsNotFailing) {
  TestCluster cluster;
  cluster.Elect({1, 2});
  std::map<std::uint64_t, std::string> chunks = WriteChunks(cluster, 20);
  cluster.world().network().options().bytes_per_second = 500'000;  // 10 s for all
  cluster.metaserver().LetJoin(3, 0);
  cluster.world().RunFor(seconds(3));
  cluster.world().network().ResetConnections("cs1", "cs3");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(cluster.NextHeartbeat(1).failing_size(), 0);
    cluster.world().RunFor(seconds(1));
  }
  ASSERT_TRUE(cluster.WaitUntilCaughtUp(3));
  EXPECT_EQ(cluster.metaserver().heartbeats[1].progress(0).bytes_left(), 0u);
  ExpectAlone(cluster, 3, chunks);
}

TEST(JoinTest, OneThatStaysOutOfReachIsFailing) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(1, 0, "data")), ErrorCode::kOk);
  cluster.Elect({1, 2});
  cluster.world().network().Cut("cs1", "cs3");
  cluster.metaserver().LetJoin(3, 0);
  cluster.world().RunFor(seconds(20));
  proto::HeartbeatRequest report = cluster.NextHeartbeat(1);
  ASSERT_EQ(report.failing_size(), 1);
  EXPECT_EQ(report.failing(0).server_id(), 3u);
  EXPECT_EQ(report.caught_up_size(), 0);
  EXPECT_EQ(CodeOf(cluster.Write(1, 0, "data")), ErrorCode::kOk) << "the others go on";
}

TEST(JoinTest, ChunkRemovedAsGarbageIsNotBroughtBack) {
  TestCluster cluster;
  std::map<std::uint64_t, std::string> chunks = WriteChunks(cluster, 3);
  cluster.Elect({1, 2});
  ASSERT_EQ(CodeOf(cluster.Write(2, 0, "changed meanwhile")), ErrorCode::kOk);
  cluster.metaserver().garbage[3] = {2};
  ASSERT_TRUE(cluster.world().RunUntil([&] { return cluster.metaserver().garbage[3].empty(); }, seconds(10)));
  ASSERT_TRUE(cluster.Join(3, 1));
  EXPECT_FALSE(cluster.HasChunk(3, 2));
  cluster.Elect({1, 2, 3});
  EXPECT_FALSE(cluster.HasChunk(3, 2)) << "nor by settling";
  EXPECT_TRUE(cluster.HasChunk(1, 2)) << "each server is told by itself";
  cluster.Elect({3, 1, 2});
  EXPECT_FALSE(cluster.HasChunk(1, 2)) << "a primary that does not have it has the others remove it";
  chunks.erase(2);
  ExpectAlone(cluster, 3, chunks);
}

// Its source may be old there.
TEST(JoinTest, CopyIsNotDoneByAJoinerButSentToIt) {
  TestCluster cluster;
  std::map<std::uint64_t, std::string> chunks = WriteChunks(cluster, 20);
  cluster.Elect({1, 2});
  chunks[19] = Pattern(kChunkLength, 190);
  ASSERT_EQ(CodeOf(cluster.Write(19, 0, chunks[19])), ErrorCode::kOk);
  cluster.world().network().options().bytes_per_second = 500'000;
  cluster.metaserver().LetJoin(3, 0);
  cluster.WaitUntilServed();
  ASSERT_EQ(CodeOf(cluster.Copy(19, 0, 1, 0, 100'000)), ErrorCode::kOk);
  chunks[1].replace(0, 100'000, chunks[19].substr(0, 100'000));
  ASSERT_TRUE(cluster.WaitUntilCaughtUp(3));
  ExpectAlone(cluster, 3, chunks);
}

// From then on it may be made a member at any moment.
TEST(JoinTest, CaughtUpJoinerCountsForEveryChange) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, "old")), ErrorCode::kOk);
  cluster.Elect({1, 2});
  ASSERT_TRUE(cluster.Join(3, 1));
  cluster.world().network().Cut("cs1", "cs3");
  EXPECT_EQ(CodeOf(cluster.Write(7, 0, "new", false, seconds(1))), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(cluster.Read(1, 7, 0, 4096)), ErrorCode::kUnavailable);
  cluster.world().network().MendAll();
  cluster.WaitUntilServed();
  ExpectAlone(cluster, 3, {{7, "new"}});
}

TEST(JoinTest, JoinerAnswersNoReads) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk);
  cluster.Elect({1, 2});
  ASSERT_TRUE(cluster.Join(3, 1));
  EXPECT_EQ(CodeOf(cluster.Read(3, 7, 0, 4096)), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace gabion
