// When a chunkserver serves, and how it keeps its place in the cluster.
#include "chunkserver/cluster/membership.h"

#include "common/env/lease.h"
#include "tests/unit/chunkserver/test_cluster.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(LeaseTest, EndsBeforeTheMetaserverThinksSo) {
  TimePoint sent{1'000'000'000};
  EXPECT_LT(LeaseEnd(sent, seconds(5)), sent + seconds(5));
  EXPECT_GT(LeaseEnd(sent, seconds(5)), sent + seconds(4));
}

TEST(MembershipViewTest, RefusesMapsThatContradictThemselves) {
  proto::ClusterMap map;
  proto::ServerEntry& server = *map.add_servers();
  server.set_server_id(1);
  server.set_endpoint("no port");
  EXPECT_FALSE(MembershipView::FromMap(map).has_value());
  server.set_endpoint("host:1");
  ASSERT_TRUE(MembershipView::FromMap(map).has_value());
  proto::PgEntry& pg = *map.add_pgs();
  pg.set_pg_id(1);
  pg.add_in_sync(1);
  pg.set_primary(2);
  EXPECT_FALSE(MembershipView::FromMap(map).has_value());
  pg.set_primary(0);
  EXPECT_TRUE(MembershipView::FromMap(map).has_value()) << "a group may have no primary";
}

TEST(LeaseTest, ServerWithoutLeaseServesNothing) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk);
  cluster.metaserver().away = true;
  cluster.world().RunFor(seconds(3));
  EXPECT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk) << "the lease lasts a while";
  cluster.world().RunFor(seconds(3));
  EXPECT_EQ(CodeOf(cluster.Write(7, 0, "none")), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(cluster.Read(2, 7, 0, 4096)), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(cluster.Trim(7, 0, 1)), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(cluster.Sync({7})), ErrorCode::kUnavailable);
  EXPECT_FALSE(cluster.Stat(1, 7).has_value());
  cluster.metaserver().away = false;
  for (int server = 1; server <= 3; ++server) cluster.WaitForLease(server);
  EXPECT_EQ(cluster.ReadAll(7, 0, 4), "data");
}

TEST(LeaseTest, ServerThatSleptLongerServesNothing) {
  TestCluster cluster;
  cluster.world().network().Cut("meta", "cs1");
  cluster.machine(1).Pause();
  cluster.world().RunFor(seconds(30));
  cluster.machine(1).Resume();
  EXPECT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kUnavailable);
  cluster.world().network().MendAll();
  cluster.WaitForLease(1);
  cluster.WaitUntilServed();
  // Its connections have died while it slept, which a call that is passed on may find out.
  if (!cluster.Write(7, 0, "data")) cluster.WaitUntilServed();
  EXPECT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk);
}

TEST(EpochTest, CallsOfOtherEpochsAreRefused) {
  TestCluster cluster;
  proto::WriteChunkRequest request = cluster.WriteRequest(7, 0, "data");
  auto code = [&cluster, &request] {
    auto reply = cluster.Call<proto::WriteChunkReply>(1, proto::METHOD_WRITE_CHUNK, request, "data");
    return reply ? ErrorCode::kOk : reply.error().code();
  };
  request.mutable_target()->set_epoch(2);
  EXPECT_EQ(code(), ErrorCode::kStaleEpoch);
  request.mutable_target()->set_epoch(0);
  EXPECT_EQ(code(), ErrorCode::kStaleEpoch);
  request = cluster.WriteRequest(7, 0, "data");
  request.mutable_target()->set_pg_id(9);
  EXPECT_EQ(code(), ErrorCode::kStaleEpoch);

  cluster.metaserver().pg().set_epoch(2);
  cluster.metaserver().MapChanged();
  cluster.world().RunFor(seconds(2));
  request = cluster.WriteRequest(7, 0, "data");
  request.mutable_target()->set_epoch(1);
  EXPECT_EQ(code(), ErrorCode::kStaleEpoch) << "the epoch of before";
  request.mutable_target()->set_epoch(2);
  EXPECT_EQ(code(), ErrorCode::kOk);
}

TEST(EpochTest, CallerWithANewerMapMakesTheServerFetchIt) {
  TestCluster cluster;
  cluster.NextHeartbeat(1);
  proto::PgEntry group = cluster.metaserver().pg();
  group.set_pg_id(2);
  group.clear_members();
  group.clear_in_sync();
  group.add_members(1);
  group.add_in_sync(1);
  group.set_min_replicas(1);
  cluster.metaserver().AddPg(group);
  cluster.metaserver().MapChanged();
  proto::WriteChunkRequest request = cluster.WriteRequest(7, 0, "data");
  request.mutable_target()->set_pg_id(2);
  auto reply = cluster.Call<proto::WriteChunkReply>(1, proto::METHOD_WRITE_CHUNK, request, "data");
  EXPECT_FALSE(reply.has_value());
  cluster.world().RunFor(milliseconds(50));  // the heartbeats are a second apart
  reply = cluster.Call<proto::WriteChunkReply>(1, proto::METHOD_WRITE_CHUNK, request, "data");
  EXPECT_TRUE(reply.has_value());
}

TEST(EpochTest, ServerOutsideTheInSyncSetIsNotRead) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk);
  cluster.Elect({1, 2});
  EXPECT_EQ(CodeOf(cluster.ReadSoon(2, 7, 0, 4096)), ErrorCode::kOk);
  EXPECT_EQ(CodeOf(cluster.Read(3, 7, 0, 4096)), ErrorCode::kInvalidArgument);
}

TEST(RegistrationTest, RegistersAgainWithAMetaserverThatForgotIt) {
  TestCluster cluster;
  EXPECT_EQ(cluster.metaserver().registrations[2], 1);
  cluster.metaserver().forgets = true;
  cluster.world().RunFor(seconds(3));
  EXPECT_GE(cluster.metaserver().registrations[1] + cluster.metaserver().registrations[2] +
                cluster.metaserver().registrations[3],
            4);
  EXPECT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk);
}

TEST(RegistrationTest, ListensBeforeTheMetaserverIsThere) {
  TestCluster cluster({.start = false});
  cluster.metaserver().Elect({1});
  cluster.metaserver().away = true;
  ASSERT_TRUE(cluster.TryStartServer(1, {0}).has_value());
  cluster.world().RunFor(seconds(60));
  EXPECT_EQ(CodeOf(cluster.Read(1, 7, 0, 4096)), ErrorCode::kUnavailable);
  cluster.metaserver().away = false;
  EXPECT_TRUE(cluster.WaitForLease(1));
  cluster.WaitUntilServed();
  EXPECT_EQ(CodeOf(cluster.Read(1, 7, 0, 4096)), ErrorCode::kOk);
}

TEST(GarbageTest, IsRemovedAndReportedDurably) {
  TestCluster cluster({.seed = 1, .disks = 2});
  for (std::uint64_t chunk = 1; chunk <= 10; ++chunk) {
    ASSERT_EQ(CodeOf(cluster.Write(chunk, 0, Pattern(100'000, chunk))), ErrorCode::kOk);
  }
  std::set<std::uint64_t>& garbage = cluster.metaserver().garbage[2];
  garbage = {1, 2, 3, 4, 5, 777};  // one that was never here
  ASSERT_TRUE(cluster.world().RunUntil([&] { return garbage.empty(); }, seconds(10)));
  cluster.LosePower(2);
  cluster.StartServer(2);
  cluster.WaitUntilServed();  // making the copies equal does not bring them back either
  for (std::uint64_t chunk = 1; chunk <= 5; ++chunk) EXPECT_EQ(cluster.Stat(2, chunk)->length_bytes(), 0u);
  for (std::uint64_t chunk = 6; chunk <= 10; ++chunk) EXPECT_EQ(cluster.Stat(2, chunk)->length_bytes(), 100'000u);
  EXPECT_EQ(cluster.Stat(1, 1)->length_bytes(), 100'000u) << "each server is told by itself";
}

TEST(GarbageTest, IsNotReportedWhileItMayBeOnAMissingDisk) {
  TestCluster cluster({.seed = 4, .disks = 2});
  for (std::uint64_t chunk = 1; chunk <= 12; ++chunk) {
    ASSERT_EQ(CodeOf(cluster.Write(chunk, 0, "x")), ErrorCode::kOk);
  }
  cluster.StopServer(2);
  ASSERT_TRUE(cluster.TryStartServer(2, {1}).has_value());
  std::set<std::uint64_t>& garbage = cluster.metaserver().garbage[2];
  for (std::uint64_t chunk = 1; chunk <= 12; ++chunk) garbage.insert(chunk);
  cluster.world().RunFor(seconds(10));
  EXPECT_GT(garbage.size(), 0u);
  EXPECT_LT(garbage.size(), 12u);
  cluster.StopServer(2);
  cluster.StartServer(2);
  EXPECT_TRUE(cluster.world().RunUntil([&] { return garbage.empty(); }, seconds(10)));
}

}  // namespace
}  // namespace gabion
