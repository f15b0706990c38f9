// What the data calls do on three chunkservers when nothing fails.
#include "tests/unit/chunkserver/background.h"
#include "tests/unit/chunkserver/test_cluster.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(WriteChunkTest, ReachesAllReplicas) {
  TestCluster cluster;
  std::string bytes = Pattern(3 * 4096 + 100, 1);
  ASSERT_EQ(CodeOf(cluster.Write(7, 1000, bytes)), ErrorCode::kOk);
  std::string all = cluster.ReadAll(7, 0, 5 * 4096);
  EXPECT_EQ(all.substr(0, 1000), std::string(1000, '\0'));
  EXPECT_TRUE(all.substr(1000, bytes.size()) == bytes);
}

TEST(WriteChunkTest, TakesTheLargestPayloadAtTheChunksEnd) {
  TestCluster cluster;
  std::string bytes = Pattern(kMaxPayloadBytes, 2);
  auto offset = static_cast<std::uint32_t>(kChunkBytes - bytes.size());
  ASSERT_EQ(CodeOf(cluster.Write(7, offset, bytes)), ErrorCode::kOk);
  EXPECT_TRUE(cluster.ReadAll(7, offset, kMaxPayloadBytes) == bytes);
}

TEST(WriteChunkTest, OverlappingWritesEndUpTheSameEverywhere) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    TestCluster cluster({.seed = seed});
    std::vector<Task<void>> tasks;
    int failed = 0;
    auto write = [](TestCluster& on, std::uint64_t number, int* failures) -> Task<void> {
      std::string bytes = Pattern(1 + number * 1777 % 30'000, number);
      proto::WriteChunkRequest request = on.WriteRequest(7, static_cast<std::uint32_t>(number * 911 % 40'000), bytes);
      RpcClient& client = on.Client(1, static_cast<int>(number % 3));
      auto reply = co_await TestCluster::CallTask<proto::WriteChunkReply>(client, proto::METHOD_WRITE_CHUNK, request,
                                                                          bytes, on.In(seconds(20)));
      if (!reply) ++*failures;
    };
    for (std::uint64_t number = 1; number <= 60; ++number) tasks.push_back(write(cluster, number, &failed));
    cluster.world().RunUntilAllDone(std::move(tasks));
    EXPECT_EQ(failed, 0);
    EXPECT_GT(cluster.ReadAll(7, 0, 60'000).size(), 50'000u) << "seed " << seed;
  }
}

TEST(WriteChunkTest, RefusesWrongChecksumsAndChangesNothing) {
  TestCluster cluster;
  std::string before = Pattern(8192, 1);
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, before)), ErrorCode::kOk);
  std::string bytes = Pattern(8192, 2);
  proto::WriteChunkRequest request = cluster.WriteRequest(7, 0, bytes);
  bytes[5000] = static_cast<char>(bytes[5000] ^ 1);
  auto reply = cluster.Call<proto::WriteChunkReply>(1, proto::METHOD_WRITE_CHUNK, request, bytes);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code(), ErrorCode::kCorrupt);
  EXPECT_TRUE(cluster.ReadAll(7, 0, 8192) == before);
}

TEST(WriteChunkTest, RefusesWhatIsIllFormed) {
  TestCluster cluster;
  std::string bytes = Pattern(4096, 1);
  auto code = [&cluster](const proto::WriteChunkRequest& request, const std::string& payload) {
    auto reply = cluster.Call<proto::WriteChunkReply>(1, proto::METHOD_WRITE_CHUNK, request, payload);
    return reply ? ErrorCode::kOk : reply.error().code();
  };
  proto::WriteChunkRequest request = cluster.WriteRequest(7, 0, bytes);
  EXPECT_EQ(code(request, ""), ErrorCode::kInvalidArgument) << "no bytes";
  request.add_checksums(1);
  EXPECT_EQ(code(request, bytes), ErrorCode::kInvalidArgument) << "a checksum too many";
  request = cluster.WriteRequest(7, 0, bytes);
  request.set_offset_bytes(kChunkBytes - 4095);
  EXPECT_EQ(code(request, bytes), ErrorCode::kInvalidArgument) << "beyond the chunk's end";
  request.set_offset_bytes(UINT32_MAX);
  EXPECT_EQ(code(request, bytes), ErrorCode::kInvalidArgument) << "far beyond it";
  request = cluster.WriteRequest(0, 0, bytes);
  EXPECT_EQ(code(request, bytes), ErrorCode::kInvalidArgument) << "no chunk";
  Payload none;
  auto garbled = cluster.world().RunUntilDone(
      cluster.Client(1, 0).Call(proto::METHOD_WRITE_CHUNK, "\xff\xff\xff", none, cluster.In(seconds(5))));
  ASSERT_FALSE(garbled.has_value());
  EXPECT_EQ(garbled.error().code(), ErrorCode::kProtocol);
}

TEST(WriteChunkTest, IsOrderedByThePrimaryOnly) {
  TestCluster cluster;
  std::string bytes = Pattern(4096, 1);
  proto::WriteChunkRequest request = cluster.WriteRequest(7, 0, bytes);
  auto reply = cluster.Call<proto::WriteChunkReply>(2, proto::METHOD_WRITE_CHUNK, request, bytes);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code(), ErrorCode::kInvalidArgument);
  request.mutable_target()->set_replica(true);
  reply = cluster.Call<proto::WriteChunkReply>(2, proto::METHOD_WRITE_CHUNK, request, bytes);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code(), ErrorCode::kInvalidArgument) << "a client that plays primary";
  EXPECT_EQ(cluster.ReadAll(7, 0, 4096), "");
}

// Each waits for the change, and none for the others' waiting: of bytes that are in memory, as those of small durable
// writes, that would go on for ever without time passing.
TEST(ReadChunkTest, ReadersThatWaitForAChangeAllEnd) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, "before", true)), ErrorCode::kOk);
  cluster.machine(2).Pause();
  proto::WriteChunkRequest change = cluster.WriteRequest(7, 0, "after!");
  change.set_sync(true);
  BackgroundCall write(cluster, 1, proto::METHOD_WRITE_CHUNK, change, "after!", seconds(5));
  cluster.world().RunFor(milliseconds(100));
  proto::ReadChunkRequest request;
  *request.mutable_target() = cluster.Target(7);
  request.set_length_bytes(kBlockBytes);
  std::vector<std::unique_ptr<BackgroundCall>> reads;
  for (int i = 0; i < 5; ++i) {
    reads.push_back(std::make_unique<BackgroundCall>(cluster, 1, proto::METHOD_READ_CHUNK, request, "", seconds(5)));
  }
  cluster.world().RunFor(milliseconds(100));
  for (const auto& read : reads) EXPECT_FALSE(read->done()) << "what it would see may be taken back";
  cluster.machine(2).Resume();
  EXPECT_EQ(write.Wait(), ErrorCode::kOk);
  for (const auto& read : reads) EXPECT_EQ(read->Wait(), ErrorCode::kOk);
}

TEST(ReadChunkTest, EndsWhereTheChunkEnds) {
  TestCluster cluster;
  EXPECT_EQ(cluster.ReadAll(7, 0, 8192), "") << "never written";
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, Pattern(5000, 1))), ErrorCode::kOk);
  Result<std::string> read = cluster.ReadSoon(2, 7, 0, 1 << 20);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->size(), 8192u);
  EXPECT_EQ(cluster.ReadAll(7, 8192, 4096), "");
}

TEST(ReadChunkTest, ReadersAndWritersOfTheSamePagesAllGetOn) {
  TestCluster cluster;
  constexpr Duration kPause = std::chrono::microseconds(10);
  std::vector<std::unique_ptr<SteadyWriter>> writers;
  for (int i = 0; i < 3; ++i) writers.push_back(std::make_unique<SteadyWriter>(cluster, 1, kPause));
  std::vector<std::unique_ptr<SteadyReader>> readers;
  for (int i = 0; i < 8; ++i) readers.push_back(std::make_unique<SteadyReader>(cluster, 1, 1, kPause));
  cluster.world().RunFor(std::chrono::milliseconds(300));
  for (const auto& writer : writers) EXPECT_GT(writer->written(), 20);
  for (const auto& reader : readers) EXPECT_GT(reader->answers(), 20);
}

TEST(ReadChunkTest, RefusesWhatIsIllFormed) {
  TestCluster cluster;
  EXPECT_EQ(cluster.Read(1, 7, 1, 4096).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.Read(1, 7, 0, 100).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.Read(1, 7, 0, 0).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.Read(1, 7, 0, 8 << 20).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.Read(1, 7, 64 << 20, 4096).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.Read(1, 0, 0, 4096).error().code(), ErrorCode::kInvalidArgument);
}

TEST(SyncChunksTest, WhatWasWrittenBeforeSurvivesPowerLossOfAll) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    TestCluster cluster({.seed = seed});
    for (std::uint64_t chunk = 1; chunk <= 5; ++chunk) {
      ASSERT_EQ(CodeOf(cluster.Write(chunk, 0, Pattern(100'000, chunk))), ErrorCode::kOk);
    }
    ASSERT_EQ(CodeOf(cluster.Sync({1, 2, 3, 4, 5})), ErrorCode::kOk);
    for (int server = 1; server <= 3; ++server) cluster.LosePower(server);
    for (int server = 1; server <= 3; ++server) cluster.StartServer(server);
    for (std::uint64_t chunk = 1; chunk <= 5; ++chunk) {
      EXPECT_TRUE(cluster.ReadAll(chunk, 0, 100'000) == Pattern(100'000, chunk)) << "seed " << seed;
    }
  }
}

TEST(SyncChunksTest, SyncedWriteSurvivesPowerLossOfAll) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    TestCluster cluster({.seed = seed});
    ASSERT_EQ(CodeOf(cluster.Write(1, 0, Pattern(100'000, 1))), ErrorCode::kOk);
    ASSERT_EQ(CodeOf(cluster.Write(1, 500, Pattern(3000, 2), true)), ErrorCode::kOk);
    ASSERT_EQ(CodeOf(cluster.Write(2, 0, Pattern(300'000, 3), true)), ErrorCode::kOk);
    for (int server = 1; server <= 3; ++server) cluster.LosePower(server);
    for (int server = 1; server <= 3; ++server) cluster.StartServer(server);
    EXPECT_TRUE(cluster.ReadAll(1, 0, 8192).substr(500, 3000) == Pattern(3000, 2)) << "seed " << seed;
    EXPECT_TRUE(cluster.ReadAll(2, 0, 300'000) == Pattern(300'000, 3)) << "seed " << seed;
  }
}

TEST(TrimChunkTest, ForgetsTheEndOnAllReplicas) {
  TestCluster cluster;
  std::string bytes = Pattern(200'000, 1);
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, bytes)), ErrorCode::kOk);
  ASSERT_EQ(CodeOf(cluster.Trim(7, 70'000, 1)), ErrorCode::kOk);
  ASSERT_EQ(CodeOf(cluster.Write(7, 150'000, "x")), ErrorCode::kOk);
  std::string all = cluster.ReadAll(7, 0, 150'001);
  EXPECT_TRUE(all.substr(0, 70'000) == bytes.substr(0, 70'000));
  EXPECT_EQ(all.substr(70'000, 80'000), std::string(80'000, '\0'));
}

TEST(TrimChunkTest, LateRepetitionCutsNothingOff) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Trim(7, 0, 3)), ErrorCode::kOk) << "of a chunk that was never written";
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, Pattern(10'000, 1))), ErrorCode::kOk);
  ASSERT_EQ(CodeOf(cluster.Trim(7, 0, 3)), ErrorCode::kOk);
  EXPECT_TRUE(cluster.ReadAll(7, 0, 10'000) == Pattern(10'000, 1));
  EXPECT_EQ(CodeOf(cluster.Trim(7, kChunkBytes + 1, 4)), ErrorCode::kInvalidArgument);
}

TEST(ZeroChunkTest, MakesZerosOnAllReplicas) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Zero(7, 0, 4096)), ErrorCode::kOk) << "of a chunk that was never written";
  std::string bytes = Pattern(200'000, 1);
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, bytes)), ErrorCode::kOk);
  ASSERT_EQ(CodeOf(cluster.Zero(7, 5000, 100'000)), ErrorCode::kOk);
  bytes.replace(5000, 100'000, std::string(100'000, '\0'));
  EXPECT_TRUE(cluster.ReadAll(7, 0, 200'000) == bytes);
  EXPECT_EQ(CodeOf(cluster.Zero(7, 0, 0)), ErrorCode::kInvalidArgument);
}

class CopyChunkTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(CopyChunkTest, CopiesBetweenChunks) {
  TestCluster cluster({.seed = 3, .disks = GetParam()});
  for (std::uint64_t chunk = 1; chunk <= 6; ++chunk) {
    std::string bytes = Pattern(300'000, chunk);
    ASSERT_EQ(CodeOf(cluster.Write(chunk, 0, bytes)), ErrorCode::kOk);
    ASSERT_EQ(CodeOf(cluster.Write(chunk + 100, 0, "old")), ErrorCode::kOk);
    ASSERT_EQ(CodeOf(cluster.Copy(chunk, 4096, chunk + 100, 8192, 250'000)), ErrorCode::kOk);
    std::string all = cluster.ReadAll(chunk + 100, 0, 8192 + 250'000);
    EXPECT_EQ(all.substr(0, 3), "old");
    EXPECT_TRUE(all.substr(8192) == bytes.substr(4096, 250'000));
    ASSERT_EQ(CodeOf(cluster.Copy(chunk, 777, chunk + 100, 1001, 100'000)), ErrorCode::kOk)
        << "not at block boundaries";
    EXPECT_TRUE(cluster.ReadAll(chunk + 100, 0, 101'001).substr(1001) == bytes.substr(777, 100'000));
  }
  ASSERT_EQ(CodeOf(cluster.Copy(999, 0, 1, 0, 8192)), ErrorCode::kOk) << "what was never written is zeros";
  EXPECT_EQ(cluster.ReadAll(1, 0, 8192), std::string(8192, '\0'));
}
INSTANTIATE_TEST_SUITE_P(Disks, CopyChunkTest, ::testing::Values(1, 3));

TEST(CopyChunkTest, CopiesWithinAChunk) {
  TestCluster cluster;
  std::string bytes = Pattern(30'000, 1);
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, bytes)), ErrorCode::kOk);
  ASSERT_EQ(CodeOf(cluster.Copy(7, 0, 7, 40'000, 30'000)), ErrorCode::kOk);
  EXPECT_TRUE(cluster.ReadAll(7, 0, 70'000).substr(40'000) == bytes);
  EXPECT_EQ(CodeOf(cluster.Copy(7, 0, 7, 29'999, 30'000)), ErrorCode::kInvalidArgument) << "the ranges overlap";
}

TEST(StatChunkTest, SaysWhatIsWhere) {
  TestCluster cluster;
  Result<proto::StatChunkReply> stat = cluster.Stat(1, 7);
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->length_bytes(), 0u);
  ASSERT_EQ(CodeOf(cluster.Write(7, 8192, Pattern(5000, 1))), ErrorCode::kOk);
  for (int server = 1; server <= 3; ++server) {
    stat = cluster.Stat(server, 7);
    ASSERT_TRUE(stat.has_value());
    EXPECT_EQ(stat->length_bytes(), 8192u + 5000u);
    EXPECT_EQ(stat->last_write_epoch(), 1u);
    ASSERT_EQ(stat->allocated_size(), 1);
    EXPECT_EQ(stat->allocated(0).offset_bytes(), 8192u);
    EXPECT_EQ(stat->allocated(0).length_bytes(), 5000u);
  }
}

}  // namespace
}  // namespace gabion
