// What data calls do when servers, disks and wires fail.
#include <asio/co_spawn.hpp>
#include <optional>

#include "common/base/checksum.h"
#include "tests/unit/chunkserver/test_cluster.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(MemberFailureTest, WriteFailsWhileAMemberIsDownAndConvergesWhenRepeated) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, Pattern(50'000, 1))), ErrorCode::kOk);
  cluster.Kill(3);
  std::string bytes = Pattern(20'000, 2);
  EXPECT_EQ(CodeOf(cluster.Sync({7})), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(cluster.Write(7, 10'000, bytes, false, seconds(2))), ErrorCode::kUnavailable);
  cluster.world().RunFor(seconds(20));
  EXPECT_EQ(CodeOf(cluster.Read(1, 7, 0, 4096)), ErrorCode::kUnavailable) << "two have the change, one has not";
  cluster.StartServer(3);
  cluster.WaitUntilServed();
  EXPECT_EQ(CodeOf(cluster.Write(7, 10'000, bytes)), ErrorCode::kOk);
  std::string expected = Pattern(50'000, 1);
  expected.replace(10'000, bytes.size(), bytes);
  EXPECT_TRUE(cluster.ReadAll(7, 0, 50'000) == expected);
}

Task<void> WriteAndNote(TestCluster& cluster, std::optional<ErrorCode>* outcome) {
  proto::WriteChunkRequest request = cluster.WriteRequest(7, 0, "abc");
  RpcClient& client = cluster.Client(1, 0);
  std::string bytes = "abc";
  auto reply = co_await TestCluster::CallTask<proto::WriteChunkReply>(client, proto::METHOD_WRITE_CHUNK, request, bytes,
                                                                      cluster.In(seconds(20)));
  *outcome = reply ? ErrorCode::kOk : reply.error().code();
}

TEST(MemberFailureTest, CallWaitsForAMemberOutOfReach) {
  TestCluster cluster;
  cluster.world().network().Cut("cs1", "cs2");
  std::optional<ErrorCode> outcome;
  asio::co_spawn(cluster.world().machine("test").env().executor, WriteAndNote(cluster, &outcome),
                 [](std::exception_ptr) {});
  cluster.world().RunFor(seconds(1));
  EXPECT_FALSE(outcome.has_value());
  cluster.world().network().MendAll();
  ASSERT_TRUE(cluster.world().RunUntil([&] { return outcome.has_value(); }));
  EXPECT_EQ(*outcome, ErrorCode::kOk);
  EXPECT_EQ(cluster.ReadAll(7, 0, 3), "abc");
}

TEST(MemberFailureTest, CallWhoseMemberDiesIsToBeRepeated) {
  TestCluster cluster;
  cluster.Kill(2);
  cluster.world().RunFor(milliseconds(100));  // until the primary has noticed
  std::optional<ErrorCode> outcome;
  asio::co_spawn(cluster.world().machine("test").env().executor, WriteAndNote(cluster, &outcome),
                 [](std::exception_ptr) {});
  cluster.world().RunFor(seconds(1));
  EXPECT_FALSE(outcome.has_value()) << "it may come back in the same epoch";
  cluster.StartServer(2);
  ASSERT_TRUE(cluster.world().RunUntil([&] { return outcome.has_value(); }, seconds(2)));
  EXPECT_TRUE(IsRetryable(*outcome));
  cluster.WaitUntilServed();
  EXPECT_EQ(CodeOf(cluster.Write(7, 0, "abc")), ErrorCode::kOk);
  EXPECT_EQ(cluster.ReadAll(7, 0, 3), "abc");
}

// A write is given up while its member sleeps. The member wakes up with it and what takes its place before it, on
// different connections: the first must not be done last.
TEST(MemberFailureTest, WhatWasGivenUpIsNotDoneLate) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    TestCluster cluster({.seed = seed});
    ASSERT_EQ(CodeOf(cluster.Write(7, 0, "first connection", false, seconds(5), 0)), ErrorCode::kOk);
    ASSERT_EQ(CodeOf(cluster.Write(7, 0, "second connection", false, seconds(5), 1)), ErrorCode::kOk);
    cluster.machine(2).Pause();
    EXPECT_EQ(CodeOf(cluster.Write(7, 0, "this is given up", false, seconds(1), 0)), ErrorCode::kUnavailable);
    EXPECT_EQ(CodeOf(cluster.Write(7, 0, "this one replaces", false, seconds(1), 1)), ErrorCode::kUnavailable);
    cluster.machine(2).Resume();
    cluster.WaitUntilServed();
    ASSERT_EQ(CodeOf(cluster.Write(7, 0, "this one replaces", false, seconds(5), 1)), ErrorCode::kOk);
    EXPECT_EQ(cluster.ReadAll(7, 0, 17), "this one replaces") << "seed " << seed;
    cluster.world().RunFor(seconds(5));
    EXPECT_EQ(cluster.ReadAll(7, 0, 17), "this one replaces") << "seed " << seed;
  }
}

TEST(MemberFailureTest, MemberRefusesWhatThePrimaryHasGivenUp) {
  TestCluster cluster;
  RpcClient primary(cluster.world().machine("test").env(), Endpoint{"cs2", 9480},
                    Identity{proto::ROLE_CHUNKSERVER, "", 1});
  auto write = [&](const std::string& bytes, std::uint64_t fence) {
    proto::WriteChunkRequest request = cluster.WriteRequest(7, 0, bytes);
    request.mutable_target()->set_replica(true);
    request.mutable_target()->set_fence(fence);
    auto reply = cluster.world().RunUntilDone(TestCluster::CallTask<proto::WriteChunkReply>(
        primary, proto::METHOD_WRITE_CHUNK, request, bytes, cluster.In(seconds(5))));
    return reply ? ErrorCode::kOk : reply.error().code();
  };
  constexpr std::uint64_t kFence = std::uint64_t{9} << 32;
  EXPECT_EQ(write("one", kFence), ErrorCode::kOk);
  EXPECT_EQ(write("two", kFence + 1), ErrorCode::kOk);
  EXPECT_EQ(write("one", kFence), ErrorCode::kUnavailable);
  proto::DigestChunkRequest digest;
  *digest.mutable_target() = cluster.Target(7);
  digest.mutable_target()->set_fence(kFence);
  digest.set_page_count(1);
  auto ask = [&] {
    return cluster.world().RunUntilDone(TestCluster::CallTask<proto::DigestChunkReply>(
        primary, proto::METHOD_DIGEST_CHUNK, digest, "", cluster.In(seconds(5))));
  };
  EXPECT_FALSE(ask().has_value()) << "other calls of a primary are fenced as well";
  digest.mutable_target()->set_fence(kFence + 1);
  auto reply = ask();
  ASSERT_TRUE(reply.has_value());
  std::string block = "two" + std::string(kBlockBytes - 3, '\0');
  ASSERT_EQ(reply->message.checksums_size(), 1);
  EXPECT_EQ(reply->message.checksums(0), ChecksumOf(std::as_bytes(std::span(block))));
  cluster.world().RunUntilDone(primary.Stop());
}

TEST(MemberFailureTest, RestartedPrimaryFencesWhatItSentBefore) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    TestCluster cluster({.seed = seed});
    cluster.machine(2).Pause();
    EXPECT_FALSE(cluster.Write(7, 0, "before", false, seconds(1), 0).has_value());
    cluster.Kill(1);
    cluster.StartServer(1);
    cluster.machine(2).Resume();
    cluster.WaitUntilServed();
    ASSERT_EQ(CodeOf(cluster.Write(7, 0, "after!")), ErrorCode::kOk);
    cluster.world().RunFor(seconds(5));
    EXPECT_EQ(cluster.ReadAll(7, 0, 6), "after!") << "seed " << seed;
  }
}

TEST(ServerRestartTest, FindsEveryChunkOnItsDisk) {
  TestCluster cluster({.seed = 2, .disks = 3});
  for (std::uint64_t chunk = 1; chunk <= 20; ++chunk) {
    ASSERT_EQ(CodeOf(cluster.Write(chunk, 0, Pattern(10'000, chunk))), ErrorCode::kOk);
  }
  proto::HeartbeatRequest report = cluster.NextHeartbeat(2);
  ASSERT_EQ(report.disks_size(), 3);
  std::uint64_t chunks = 0;
  for (const proto::DiskReport& disk : report.disks()) {
    EXPECT_TRUE(disk.online());
    EXPECT_GT(disk.chunks(), 0u) << "chunks go to all disks";
    chunks += disk.chunks();
  }
  EXPECT_EQ(chunks, 20u) << "and each to one of them";
  for (int server = 1; server <= 3; ++server) cluster.Kill(server);
  for (int server = 1; server <= 3; ++server) cluster.StartServer(server);
  for (std::uint64_t chunk = 1; chunk <= 20; ++chunk) {
    EXPECT_TRUE(cluster.ReadAll(chunk, 0, 10'000) == Pattern(10'000, chunk));
  }
}

/// Whether a primary says of one member only that it fails, and in the present epoch.
bool IsReportedAsFailing(TestCluster& cluster, std::uint32_t server) {
  proto::HeartbeatRequest report = cluster.NextHeartbeat(cluster.primary());
  return report.failing_size() == 1 && report.failing(0).server_id() == server && report.failing(0).pg_id() == 1 &&
         report.failing(0).epoch() == cluster.metaserver().pg().epoch() && !report.failing(0).why().empty();
}

TEST(DiskFailureTest, TakesItsChunksOfflineAndThenItsServerOut) {
  TestCluster cluster({.seed = 4, .disks = 2});
  for (std::uint64_t chunk = 1; chunk <= 12; ++chunk) {
    ASSERT_EQ(CodeOf(cluster.Write(chunk, 0, Pattern(10'000, chunk))), ErrorCode::kOk);
  }
  ASSERT_TRUE(cluster.WaitUntilNothingIsUnsettled());
  cluster.platter(3, 1).SetDead(true);
  int served = 0;
  int failed = 0;
  for (int round = 0; round < 3; ++round) {  // a disk is given up after some errors
    served = failed = 0;
    for (std::uint64_t chunk = 1; chunk <= 12; ++chunk) {
      Result<std::string> here = cluster.Read(3, chunk, 0, 8192);
      ++(here ? served : failed);
      EXPECT_EQ(CodeOf(cluster.Read(2, chunk, 0, 8192)), ErrorCode::kOk);
    }
  }
  EXPECT_GT(served, 0);
  EXPECT_GT(failed, 0);
  // A change that reaches the dead disk leaves its copy behind, and the server cannot make it good.
  Result<void> written;
  for (std::uint64_t chunk = 1; chunk <= 12 && written; ++chunk) {
    written = cluster.Write(chunk, 4096, "new", false, seconds(1));
  }
  ASSERT_FALSE(written.has_value());
  EXPECT_TRUE(IsRetryable(written.error().code()));
  cluster.world().RunFor(seconds(8));
  EXPECT_TRUE(IsReportedAsFailing(cluster, 3));
  EXPECT_EQ(CodeOf(cluster.Read(1, 1, 0, 4096)), ErrorCode::kUnavailable);
  cluster.Elect({1, 2});
  for (std::uint64_t chunk = 1; chunk <= 12; ++chunk) {
    EXPECT_EQ(CodeOf(cluster.Write(chunk, 4096, "new")), ErrorCode::kOk);
    std::string expected = Pattern(10'000, chunk).replace(4096, 3, "new");
    EXPECT_TRUE(cluster.ReadAll(chunk, 0, 10'000) == expected);
  }
  EXPECT_EQ(cluster.NextHeartbeat(1).failing_size(), 0);
  proto::HeartbeatRequest report = cluster.NextHeartbeat(3);
  ASSERT_EQ(report.disks_size(), 2);
  EXPECT_TRUE(report.disks(0).online());
  EXPECT_FALSE(report.disks(1).online());
  EXPECT_NE(report.disks(1).error(), "");
}

TEST(DiskFailureTest, WhatMayBeOnAMissingDiskIsNotTakenForNew) {
  TestCluster cluster({.seed = 4, .disks = 2});
  for (std::uint64_t chunk = 1; chunk <= 12; ++chunk) {
    ASSERT_EQ(CodeOf(cluster.Write(chunk, 0, Pattern(10'000, chunk))), ErrorCode::kOk);
  }
  ASSERT_TRUE(cluster.WaitUntilNothingIsUnsettled());
  cluster.StopServer(3);
  ASSERT_TRUE(cluster.TryStartServer(3, {0}).has_value());
  ASSERT_TRUE(cluster.WaitForLease(3));
  cluster.world().RunFor(seconds(20));
  EXPECT_TRUE(IsReportedAsFailing(cluster, 3)) << "it may not say what it has";
  EXPECT_EQ(CodeOf(cluster.Read(1, 1, 0, 8192)), ErrorCode::kUnavailable);
  int found = 0;
  for (std::uint64_t chunk = 1; chunk <= 12; ++chunk) {
    Result<proto::StatChunkReply> stat = cluster.Stat(3, chunk);
    if (stat) {
      ++found;
      EXPECT_EQ(stat->length_bytes(), 10'000u);
    } else {
      EXPECT_EQ(stat.error().code(), ErrorCode::kUnavailable);
    }
  }
  EXPECT_GT(found, 0);
  EXPECT_LT(found, 12);
  EXPECT_EQ(cluster.Stat(3, 999).error().code(), ErrorCode::kUnavailable);
  cluster.StopServer(3);
  cluster.StartServer(3);
  for (std::uint64_t chunk = 1; chunk <= 12; ++chunk) {
    EXPECT_TRUE(cluster.ReadAll(chunk, 0, 10'000) == Pattern(10'000, chunk));
  }
}

TEST(DiskFailureTest, DiskThatDoesNotOpenIsReported) {
  TestCluster cluster({.seed = 1, .disks = 2});
  for (std::uint64_t chunk = 1; chunk <= 6; ++chunk) {
    ASSERT_EQ(CodeOf(cluster.Write(chunk, 0, "x")), ErrorCode::kOk);
  }
  cluster.StopServer(2);
  cluster.platter(2, 0).SetDead(true);
  cluster.StartServer(2);
  proto::HeartbeatRequest report = cluster.NextHeartbeat(2);
  ASSERT_GE(report.disks_size(), 2);
  EXPECT_FALSE(report.disks(0).online());
  EXPECT_NE(report.disks(0).error(), "");
  EXPECT_TRUE(report.disks(1).online());

  cluster.StopServer(2);
  cluster.platter(2, 1).SetDead(true);
  Result<void> started = cluster.TryStartServer(2, {0, 1});
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(CodeOf(started), ErrorCode::kIo) << "without any disk there is no server";
}

TEST(DiskFailureTest, EmptyDisksOfAServerThatHadDataAreNotServed) {
  TestCluster cluster({.seed = 1, .disks = 1});
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk);
  cluster.StopServer(2);
  ASSERT_TRUE(cluster.TryStartServer(2, {5}).has_value());
  ASSERT_TRUE(cluster.WaitForLease(2));
  cluster.world().RunFor(seconds(20));
  EXPECT_EQ(CodeOf(cluster.Read(2, 7, 0, 4096)), ErrorCode::kUnavailable);
  EXPECT_EQ(cluster.Stat(2, 7).error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(IsReportedAsFailing(cluster, 2));
}

TEST(BitRotTest, BadBlockIsRefusedByTheServerThatHasIt) {
  TestCluster cluster;
  std::string bytes = Pattern(200'000, 1);
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, bytes)), ErrorCode::kOk);
  ASSERT_TRUE(cluster.WaitUntilNothingIsUnsettled());
  std::string slab = cluster.platter(2).FileNames().at(0);
  std::string stored = cluster.platter(2).Contents(slab, 0, 1 * kMiB);
  std::size_t at = stored.find(bytes.substr(8192, 4096));
  ASSERT_NE(at, std::string::npos);
  cluster.platter(2).FlipBit(slab, at + 100, 3);
  EXPECT_EQ(CodeOf(cluster.Read(2, 7, 0, 65536)), ErrorCode::kCorrupt);
  EXPECT_EQ(CodeOf(cluster.Read(2, 7, 12288, 65536)), ErrorCode::kOk) << "the other blocks are good";
  EXPECT_EQ(CodeOf(cluster.Read(1, 7, 0, 65536)), ErrorCode::kOk);
  EXPECT_EQ(CodeOf(cluster.Read(3, 7, 0, 65536)), ErrorCode::kOk);
}

TEST(DiskFullTest, WriterLearnsAndNothingIsLost) {
  TestCluster cluster({.start = false});
  for (int server = 1; server <= 3; ++server) {
    cluster.platter(server).options().capacity_bytes = server == 3 ? 48 * kMiB : 4 * kGiB;
    cluster.StartServer(server);
  }
  cluster.world().RunFor(seconds(2));
  std::uint64_t written = 0;
  Result<void> last;
  for (; written < 64; ++written) {
    last = cluster.Write(written + 1, 0, Pattern(1 * kMiB, written + 1));
    if (!last) break;
  }
  EXPECT_EQ(CodeOf(last), ErrorCode::kNoSpace) << "also of a disk that is not the primary's";
  EXPECT_GT(written, 10u);
  // What some of them have of it by now they all get, out of the space that is kept back.
  cluster.WaitUntilServed();
  for (std::uint64_t chunk = 1; chunk <= written; ++chunk) {
    ASSERT_TRUE(cluster.ReadAll(chunk, 0, 1 * kMiB) == Pattern(1 * kMiB, chunk)) << "chunk " << chunk;
  }
  // Room again: after a chunk is gone.
  for (std::uint32_t server = 1; server <= 3; ++server) cluster.metaserver().garbage[server] = {1, 2, 3, 4};
  cluster.world().RunFor(seconds(15));
  EXPECT_EQ(CodeOf(cluster.Write(written + 2, 0, Pattern(1 * kMiB, written + 2))), ErrorCode::kOk);
  EXPECT_TRUE(cluster.ReadAll(written + 2, 0, 1 * kMiB) == Pattern(1 * kMiB, written + 2));
}

// The others have a change that failed on the full one, which is made equal with what is kept back. When that is used
// up as well, the full one is to leave.
TEST(DiskFullTest, FullMemberIsReportedAndComesBackWhenItHasRoom) {
  TestCluster cluster({.start = false});
  for (int server = 1; server <= 3; ++server) {
    cluster.platter(server).options().capacity_bytes = server == 3 ? 48 * kMiB : 4 * kGiB;
    cluster.StartServer(server);
  }
  cluster.WaitUntilServed();
  std::uint64_t chunk = 1;
  while (cluster.Write(chunk, 0, Pattern(1 * kMiB, chunk))) ++chunk;
  bool full = false;
  for (int attempt = 0; attempt < 10 && !full; ++attempt) {
    cluster.WaitUntilServed();
    EXPECT_EQ(CodeOf(cluster.Write(chunk, 0, Pattern(kMaxPayloadBytes, 100))), ErrorCode::kNoSpace);
    cluster.world().RunFor(seconds(1));
    proto::HeartbeatRequest report = cluster.NextHeartbeat(1);
    full = report.failing_size() == 1 && report.failing(0).server_id() == 3 && report.failing(0).full();
  }
  ASSERT_TRUE(full) << "at once, and not after a while";
  const std::uint32_t since = cluster.metaserver().pg().epoch();
  cluster.Elect({1, 2});
  EXPECT_EQ(CodeOf(cluster.Write(chunk, 0, Pattern(kMaxPayloadBytes, 100))), ErrorCode::kOk);
  for (std::uint32_t server = 1; server <= 3; ++server) {
    cluster.metaserver().garbage[server] = {1, 2, 3, 4, 5, 6, 7, 8};
  }
  cluster.world().RunFor(seconds(15));
  ASSERT_TRUE(cluster.Join(3, since));
  cluster.Elect({1, 2, 3});
  EXPECT_EQ(CodeOf(cluster.Write(chunk + 1, 0, "room")), ErrorCode::kOk);
  for (std::uint64_t each = 9; each < chunk; ++each) {
    ASSERT_TRUE(cluster.ReadAll(each, 0, 1 * kMiB) == Pattern(1 * kMiB, each)) << "chunk " << each;
  }
  EXPECT_TRUE(cluster.ReadAll(chunk, 0, kMaxPayloadBytes) == Pattern(kMaxPayloadBytes, 100));
}

}  // namespace
}  // namespace gabion
