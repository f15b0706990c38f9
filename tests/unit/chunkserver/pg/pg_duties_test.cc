// What primaries do without being asked: the unsettled sets, and what the metaserver hears.
#include "chunkserver/pg/pg_duties.h"

#include "tests/unit/chunkserver/background.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using Ids = std::set<std::uint64_t>;

TEST(UnsettledTest, EmptiesEverywhereWhenWritingStops) {
  TestCluster cluster({.seed = 1, .disks = 2});
  for (std::uint64_t chunk = 1; chunk <= 5; ++chunk) {
    ASSERT_EQ(CodeOf(cluster.Write(chunk, 0, Pattern(10'000, chunk))), ErrorCode::kOk);
  }
  for (int server = 1; server <= 3; ++server) {
    EXPECT_EQ(cluster.Unsettled(server), Ids({1, 2, 3, 4, 5})) << "server " << server;
    EXPECT_EQ(CodeOf(cluster.Read(server, 3, 0, 4096)), server == 1 ? ErrorCode::kOk : ErrorCode::kUnavailable);
  }
  cluster.world().RunFor(seconds(12));
  for (int server = 1; server <= 3; ++server) {
    EXPECT_EQ(cluster.Unsettled(server), Ids()) << "server " << server;
    EXPECT_EQ(CodeOf(cluster.Read(server, 3, 0, 4096)), ErrorCode::kOk);
  }
}

TEST(UnsettledTest, KeepsWhatIsWrittenAgainAndAgain) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(50, 0, "once")), ErrorCode::kOk);
  SteadyWriter writer(cluster, 1, milliseconds(700));
  cluster.world().RunFor(seconds(12));
  for (int i = 0; i < 100; ++i) {
    cluster.world().RunFor(milliseconds(311));
    for (int server = 1; server <= 3; ++server) EXPECT_EQ(cluster.Unsettled(server), Ids({1})) << "server " << server;
  }
  writer.Stop();
  EXPECT_TRUE(cluster.WaitUntilNothingIsUnsettled());
  writer.ExpectIn(0);
}

// Else the one that is down could lack for good what nobody remembers.
TEST(UnsettledTest, KeepsEverythingWhileAMemberIsDown) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk);
  cluster.LosePower(3);
  cluster.world().RunFor(seconds(30));
  EXPECT_EQ(cluster.Unsettled(1), Ids({7}));
  EXPECT_EQ(cluster.Unsettled(2), Ids({7}));
  cluster.StartServer(3);
  cluster.WaitUntilServed();
  EXPECT_EQ(cluster.Unsettled(3), Ids({7})) << "whatever it has kept itself";
  EXPECT_TRUE(cluster.WaitUntilNothingIsUnsettled());
}

TEST(UnsettledTest, WhatLeavesTheSetIsDurableOnAllMembers) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    TestCluster cluster({.seed = seed});
    ASSERT_EQ(CodeOf(cluster.Write(7, 0, Pattern(50'000, seed))), ErrorCode::kOk);
    ASSERT_TRUE(cluster.world().RunUntil([&] { return cluster.Unsettled(3).empty(); }, seconds(20)));
    for (int server = 1; server <= 3; ++server) cluster.LosePower(server);
    cluster.metaserver().Elect({1});  // no member helps another
    for (int server = 1; server <= 3; ++server) cluster.StartServer(server);
    for (std::uint32_t server = 1; server <= 3; ++server) {
      cluster.Elect({server});
      EXPECT_TRUE(cluster.ReadAll(7, 0, 50'000) == Pattern(50'000, seed)) << "server " << server << ", seed " << seed;
    }
  }
}

TEST(UnsettledTest, NewEpochKeepsThemOnAllMembers) {
  TestCluster cluster;
  cluster.Elect({1, 2});
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk);
  ASSERT_TRUE(cluster.Unsettled(3).empty());
  cluster.Elect({2, 3, 1});
  for (int server = 1; server <= 3; ++server) EXPECT_EQ(cluster.Unsettled(server), Ids({7})) << "server " << server;
  EXPECT_EQ(cluster.Stat(3, 7)->last_write_epoch(), cluster.metaserver().pg().epoch())
      << "who is away finds it among what was changed since";
  EXPECT_TRUE(cluster.WaitUntilNothingIsUnsettled());
}

TEST(FailingTest, MemberThatIsOutOfReachIsReportedAfterAWhileAndUntilItIsBack) {
  TestCluster cluster;
  EXPECT_EQ(cluster.NextHeartbeat(1).failing_size(), 0);
  cluster.world().network().Cut("cs1", "cs3");
  EXPECT_EQ(CodeOf(cluster.Write(7, 0, "data", false, seconds(1))), ErrorCode::kUnavailable);
  EXPECT_EQ(cluster.NextHeartbeat(1).failing_size(), 0) << "that may have been a moment";
  cluster.world().RunFor(seconds(15));
  proto::HeartbeatRequest report = cluster.NextHeartbeat(1);
  ASSERT_EQ(report.failing_size(), 1);
  EXPECT_EQ(report.failing(0).server_id(), 3u);
  EXPECT_EQ(report.failing(0).pg_id(), 1u);
  EXPECT_EQ(report.failing(0).epoch(), 1u);
  EXPECT_FALSE(report.failing(0).full());
  EXPECT_NE(report.failing(0).why(), "");
  EXPECT_EQ(cluster.NextHeartbeat(2).failing_size(), 0) << "only the primary knows";
  cluster.world().network().MendAll();
  cluster.WaitUntilServed();
  EXPECT_EQ(cluster.NextHeartbeat(1).failing_size(), 0);
}

TEST(FailingTest, IsForgottenWithTheEpoch) {
  TestCluster cluster;
  cluster.world().network().Cut("cs1", "cs3");
  EXPECT_EQ(CodeOf(cluster.Write(7, 0, "data", false, seconds(1))), ErrorCode::kUnavailable);
  cluster.world().RunFor(seconds(15));
  ASSERT_EQ(cluster.NextHeartbeat(1).failing_size(), 1);
  cluster.Elect({1, 2});
  EXPECT_EQ(cluster.NextHeartbeat(1).failing_size(), 0);
  EXPECT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk);
}

proto::PgRelease ReleaseOf(std::uint32_t epoch) {
  proto::PgRelease release;
  release.set_pg_id(1);
  release.set_epoch(epoch);
  return release;
}

bool SaysReleased(const proto::HeartbeatRequest& report, std::uint32_t epoch) {
  return report.released_size() == 1 && report.released(0).pg_id() == 1 && report.released(0).epoch() == epoch;
}

TEST(ReleaseTest, MemberServesNothingAnyMoreAndSaysSo) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk);
  ASSERT_TRUE(cluster.WaitUntilNothingIsUnsettled());
  ASSERT_EQ(CodeOf(cluster.Read(2, 7, 0, 4096)), ErrorCode::kOk);
  cluster.metaserver().releases[2] = ReleaseOf(1);
  ASSERT_TRUE(
      cluster.world().RunUntil([&] { return SaysReleased(cluster.metaserver().heartbeats[2], 1); }, seconds(2)));
  EXPECT_EQ(CodeOf(cluster.Read(2, 7, 0, 4096)), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(cluster.Read(3, 7, 0, 4096)), ErrorCode::kOk);
  // Until the epoch ends it is in sync, so that the others need not wait.
  EXPECT_EQ(CodeOf(cluster.Write(7, 0, "more")), ErrorCode::kOk);
  cluster.world().RunFor(seconds(15));
  EXPECT_EQ(CodeOf(cluster.Read(2, 7, 0, 4096)), ErrorCode::kUnavailable);
  EXPECT_TRUE(SaysReleased(cluster.NextHeartbeat(2), 1)) << "until the map says otherwise";

  cluster.Elect({1, 3});
  cluster.world().RunFor(seconds(1));
  EXPECT_EQ(cluster.NextHeartbeat(2).released_size(), 0);
  EXPECT_EQ(CodeOf(cluster.Read(2, 7, 0, 4096)), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(cluster.Join(2, 1)) << "what was asked of an older epoch is no matter";
  cluster.Elect({1, 2, 3});
  EXPECT_EQ(cluster.ReadAll(7, 0, 4), "more");
}

TEST(ReleaseTest, PrimaryServesNothingAnyMoreAndSaysSo) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk);
  cluster.metaserver().releases[1] = ReleaseOf(1);
  ASSERT_TRUE(
      cluster.world().RunUntil([&] { return SaysReleased(cluster.metaserver().heartbeats[1], 1); }, seconds(2)));
  for (int second = 0; second < 10; ++second) {
    EXPECT_EQ(CodeOf(cluster.Write(7, 0, "none")), ErrorCode::kUnavailable);
    EXPECT_EQ(CodeOf(cluster.Read(1, 7, 0, 4096)), ErrorCode::kUnavailable);
    EXPECT_EQ(CodeOf(cluster.Sync({7})), ErrorCode::kUnavailable);
    cluster.world().RunFor(seconds(1));
  }
  cluster.Elect({2, 3});
  EXPECT_EQ(cluster.ReadAll(7, 0, 4), "data");
  cluster.Elect({1, 2, 3});
  EXPECT_EQ(cluster.ReadAll(7, 0, 4), "data");
  EXPECT_EQ(cluster.NextHeartbeat(1).released_size(), 0);
}

}  // namespace
}  // namespace gabion
