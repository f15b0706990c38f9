#include "metaserver/cluster/cluster.h"

#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

class ClusterTest : public testing::Test {
 protected:
  Result<proto::RegisterServerReply> Register(const proto::RegisterServerRequest& request) {
    return bench_.Do(bench_.cluster().Register(request, bench_.env()));
  }
  static proto::RegisterServerRequest GoodRequest() {
    proto::RegisterServerRequest request;
    request.set_server_uuid("uuid");
    request.set_endpoint("host:1");
    return request;
  }
  void ExpireLeases() { ASSERT_TRUE(bench_.Do(bench_.cluster().ExpireLeases(bench_.env())).has_value()); }
  unsigned AliveServers() {
    unsigned alive = 0;
    const proto::ClusterMap map = bench_.Map();
    for (const proto::ServerEntry& server : map.servers()) alive += server.alive() ? 1 : 0;
    return alive;
  }

  /// Begins; the outcome once there is one.
  std::shared_ptr<std::optional<Result<void>>> FenceSession(std::uint64_t session, std::uint32_t evictions) {
    auto outcome = std::make_shared<std::optional<Result<void>>>();
    auto run = [](Task<Result<void>> task, std::shared_ptr<std::optional<Result<void>>> done) -> Task<void> {
      Result<void> result = co_await std::move(task);
      done->emplace(std::move(result));
    };
    tasks_.Spawn(bench_.env().executor,
                 run(bench_.cluster().FenceSession(SessionId(session), evictions, bench_.env()), outcome));
    bench_.world().RunFor(std::chrono::milliseconds(50));
    return outcome;
  }
  proto::HeartbeatReply Fenced(unsigned server, std::uint64_t session, std::uint32_t evictions) {
    proto::HeartbeatRequest request;
    proto::SessionFence& fence = *request.add_fenced();
    fence.set_session_id(session);
    fence.set_evictions(evictions);
    Result<proto::HeartbeatReply> reply = bench_.Report(server, std::move(request));
    EXPECT_TRUE(reply.has_value());
    bench_.world().RunFor(std::chrono::milliseconds(50));
    return reply ? *reply : proto::HeartbeatReply();
  }

  MetaBench bench_;
  TaskGroup tasks_;
};

TEST_F(ClusterTest, ASessionIsFencedWhenAllServersHaveSaidSo) {
  const auto fenced = FenceSession(7, 2);
  const Result<proto::HeartbeatReply> asked = bench_.Heartbeat(1, 1);
  ASSERT_EQ(asked->fences_size(), 1);
  EXPECT_EQ(asked->fences(0).session_id(), 7u);
  EXPECT_EQ(asked->fences(0).evictions(), 2u);
  EXPECT_EQ(Fenced(1, 7, 1).fences_size(), 1) << "of an eviction before";
  EXPECT_EQ(Fenced(1, 7, 2).fences_size(), 0);
  Fenced(2, 7, 2);
  EXPECT_FALSE(fenced->has_value());
  Fenced(3, 7, 2);
  ASSERT_TRUE(fenced->has_value());
  EXPECT_EQ(CodeOf(**fenced), ErrorCode::kOk);
}

TEST_F(ClusterTest, AServerWithoutALeaseIsNotWaitedForToFenceASession) {
  const auto fenced = FenceSession(7, 1);
  bench_.world().RunFor(bench_.options().server_lease - std::chrono::seconds(1));
  Fenced(1, 7, 1);
  Fenced(2, 7, 1);
  EXPECT_FALSE(fenced->has_value());
  bench_.world().RunFor(std::chrono::seconds(1));
  ExpireLeases();
  bench_.world().RunFor(std::chrono::milliseconds(50));
  ASSERT_TRUE(fenced->has_value());
  EXPECT_EQ(CodeOf(**fenced), ErrorCode::kOk);
  EXPECT_EQ(bench_.Heartbeat(3, 3)->fences_size(), 0);
}

TEST_F(ClusterTest, FencingGivesUpOnAServerThatDoesNotSaySo) {
  const auto fenced = FenceSession(7, 1);
  bench_.world().RunFor(2 * bench_.options().server_lease);
  ASSERT_TRUE(fenced->has_value());
  EXPECT_EQ(CodeOf(**fenced), ErrorCode::kUnavailable);
  const auto stopped = FenceSession(8, 1);
  bench_.cluster().Close();
  bench_.world().RunFor(std::chrono::milliseconds(50));
  ASSERT_TRUE(stopped->has_value());
  EXPECT_EQ(CodeOf(**stopped), ErrorCode::kUnavailable);
}

TEST_F(ClusterTest, AServerKeepsItsNumber) {
  const std::uint32_t id = bench_.RegisterServer(4).server_id();
  EXPECT_EQ(bench_.RegisterServer(4).server_id(), id);
  bench_.LosePower();
  EXPECT_EQ(bench_.RegisterServer(4).server_id(), id) << "told to the server before it was durable";
  EXPECT_GT(bench_.RegisterServer(5).server_id(), id);
}

TEST_F(ClusterTest, AServersLabelsAreKept) {
  proto::RegisterServerRequest request = GoodRequest();
  request.set_host("h");
  request.set_rack("r");
  request.set_zone("z");
  ASSERT_TRUE(Register(request).has_value());
  bench_.LosePower();
  const proto::ServerEntry server = bench_.Map().servers(3);
  EXPECT_EQ(server.host() + server.rack() + server.zone(), "hrz");
  request.set_zone(std::string(257, 'z'));
  EXPECT_EQ(CodeOf(Register(request)), ErrorCode::kInvalidArgument);
}

TEST_F(ClusterTest, RefusesMalformedAndForeignServers) {
  proto::RegisterServerRequest request = GoodRequest();
  EXPECT_TRUE(Register(request).has_value());
  request.set_cluster_id("another");
  EXPECT_EQ(CodeOf(Register(request)), ErrorCode::kInvalidArgument);
  request.set_cluster_id(bench_.cluster().cluster_id());
  EXPECT_TRUE(Register(request).has_value());
  request.set_endpoint("no port");
  EXPECT_EQ(CodeOf(Register(request)), ErrorCode::kInvalidArgument);
  request = GoodRequest();
  request.set_server_uuid("");
  EXPECT_EQ(CodeOf(Register(request)), ErrorCode::kInvalidArgument);
  request.set_server_uuid(std::string(65, 'x'));
  EXPECT_EQ(CodeOf(Register(request)), ErrorCode::kInvalidArgument);
  request = GoodRequest();
  for (int i = 0; i <= Cluster::kMaxDisksPerServer; ++i) request.add_disks();
  EXPECT_EQ(CodeOf(Register(request)), ErrorCode::kInvalidArgument);
}

TEST_F(ClusterTest, AHeartbeatNeedsARegistration) {
  EXPECT_EQ(CodeOf(bench_.Heartbeat(99, 99)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(bench_.Heartbeat(1, 2)), ErrorCode::kNotFound) << "another server's number";
  EXPECT_TRUE(bench_.Heartbeat(1, 1).has_value());
}

TEST_F(ClusterTest, LeasesRunOutAndComeBack) {
  const Duration lease = bench_.options().server_lease;
  EXPECT_EQ(bench_.Heartbeat(1, 1)->lease_ms(), 3000u);
  bench_.world().RunFor(lease - std::chrono::seconds(1));
  ASSERT_TRUE(bench_.Heartbeat(1, 1).has_value());
  bench_.world().RunFor(std::chrono::seconds(2));
  const std::uint64_t version = bench_.Map().version();
  ExpireLeases();
  EXPECT_EQ(AliveServers(), 1u);
  EXPECT_GT(bench_.Map().version(), version);
  EXPECT_EQ(bench_.cluster().GroupHealth().healthy, 0u);
  EXPECT_EQ(bench_.cluster().GroupHealth().writable, 0u) << "one of three copies is too few";
  for (unsigned number = 2; number <= 3; ++number) ASSERT_TRUE(bench_.Heartbeat(number, number).has_value());
  EXPECT_EQ(AliveServers(), 3u);
}

TEST_F(ClusterTest, AfterARestartServersHaveALeasesTimeToBeHeard) {
  bench_.Restart();
  EXPECT_EQ(AliveServers(), 3u);
  bench_.world().RunFor(bench_.options().server_lease - std::chrono::milliseconds(100));
  ExpireLeases();
  EXPECT_EQ(AliveServers(), 3u);
  bench_.world().RunFor(std::chrono::milliseconds(100));
  ExpireLeases();
  EXPECT_EQ(AliveServers(), 0u);
  bench_.Restart();
  EXPECT_EQ(AliveServers(), 0u) << "they were away, and are";
}

TEST_F(ClusterTest, GroupsStayAsTheyAreAcrossRestarts) {
  const proto::ClusterMap before = bench_.Map();
  bench_.Restart();
  const proto::ClusterMap after = bench_.Map();
  EXPECT_EQ(after.cluster_id(), before.cluster_id());
  ASSERT_EQ(after.pgs_size(), before.pgs_size());
  for (int i = 0; i < before.pgs_size(); ++i) {
    EXPECT_EQ(after.pgs(i).pg_id(), before.pgs(i).pg_id());
    EXPECT_EQ(after.pgs(i).epoch(), 1u);
    EXPECT_THAT(after.pgs(i).members(), testing::ElementsAreArray(before.pgs(i).members()));
    EXPECT_THAT(after.pgs(i).in_sync(), testing::ElementsAreArray(before.pgs(i).members()));
    EXPECT_EQ(after.pgs(i).primary(), before.pgs(i).primary());
  }
}

TEST_F(ClusterTest, TheMapIsSentOnlyIfItIsNewer) {
  const std::uint64_t version = bench_.Map().version();
  auto newer = [&] { return *bench_.Do(bench_.cluster().MapIfNewer(version)); };
  EXPECT_FALSE(newer().has_value());
  bench_.RegisterServer(4);
  ASSERT_TRUE(newer().has_value());
  EXPECT_GT(newer()->version(), version);
  bench_.Restart();
  EXPECT_GT(bench_.Map().version(), version) << "versions do not begin anew";
}

TEST_F(ClusterTest, WeightsFollowFreeSpace) {
  auto weight_sum = [&] {
    std::uint64_t sum = 0;
    const proto::ClusterMap map = bench_.Map();
    for (const proto::PgEntry& pg : map.pgs()) sum += pg.weight();
    return sum;
  };
  const std::uint64_t empty = weight_sum();
  EXPECT_GT(empty, 0u);
  ASSERT_TRUE(bench_.Heartbeat(1, 1, {}, MetaBench::kServerBytes / 2).has_value());
  EXPECT_LT(weight_sum(), empty);
  ASSERT_TRUE(bench_.Heartbeat(1, 1, {}, MetaBench::kServerBytes).has_value());
  EXPECT_EQ(weight_sum(), 0u) << "three replicas on three servers: the full one is in every group";
  MetaClient client(bench_);
  const Ino file = client.File(kRootIno, "a");
  EXPECT_EQ(CodeOf(client.Allocate(file, 0, 1)), ErrorCode::kNoSpace);
}

TEST_F(ClusterTest, GarbageIsAskedForUntilItIsReportedDeleted) {
  MetaClient client(bench_);
  client.File(kRootIno, "a");
  const std::uint64_t chunk = client.Lookup(kRootIno, "a")->attr().first_chunk().chunk_id();
  EXPECT_TRUE(bench_.Heartbeat(1, 1)->delete_chunks().empty());
  ASSERT_TRUE(client.Unlink(kRootIno, "a").has_value());
  EXPECT_EQ(bench_.cluster().garbage_count(), 3u);
  for (int i = 0; i < 2; ++i) EXPECT_THAT(bench_.Heartbeat(1, 1)->delete_chunks(), testing::ElementsAre(chunk));
  bench_.Restart();
  EXPECT_EQ(bench_.cluster().garbage_count(), 3u);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(bench_.Heartbeat(1, 1, {chunk, 777})->delete_chunks().empty());
  EXPECT_EQ(bench_.cluster().garbage_count(), 2u);
  EXPECT_THAT(bench_.Heartbeat(2, 2)->delete_chunks(), testing::ElementsAre(chunk));
}

TEST_F(ClusterTest, NoChunkIsDeletedForARemovalThatPowerLossTakesBack) {
  MetaClient client(bench_);
  for (int round = 0; round < 10; ++round) {
    const std::string name = "a" + std::to_string(round);
    client.File(kRootIno, name);
    proto::OpHeader header;
    header.set_session_id(client.id().value());
    ASSERT_TRUE(bench_.Do(bench_.volume()->Sync(header, bench_.env())).has_value());
    ASSERT_TRUE(client.Unlink(kRootIno, name).has_value());
    const Result<proto::HeartbeatReply> reply = bench_.Heartbeat(1, 1);
    ASSERT_TRUE(reply.has_value());
    EXPECT_FALSE(reply->delete_chunks().empty());
    bench_.LosePower();
    ASSERT_TRUE(client.Resume({}).has_value());
    EXPECT_EQ(CodeOf(client.Lookup(kRootIno, name)), ErrorCode::kNotFound);
  }
}

TEST_F(ClusterTest, AHeartbeatIsBounded) {
  const std::vector<std::uint64_t> many(Cluster::kMaxDeletesPerHeartbeat + 1, 1);
  EXPECT_EQ(CodeOf(bench_.Heartbeat(1, 1, many)), ErrorCode::kInvalidArgument);
}

TEST_F(ClusterTest, RefusesAStoreOfAnotherFormat) {
  records::Cluster record;
  record.set_cluster_id("id");
  record.set_format(2);
  WriteBatch batch;
  batch.Put(ClusterKey(), EncodeRecord(record));
  ASSERT_TRUE(bench_.kv().Apply(batch).has_value());
  Cluster cluster(bench_.kv(), {bench_.options().server_lease, bench_.options().down_out, 8});
  const Result<void> loaded = bench_.Do(cluster.Load(bench_.env()));
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code(), ErrorCode::kVersionMismatch);
  EXPECT_THAT(loaded.error().message(), testing::HasSubstr("format 2"));
}

}  // namespace
}  // namespace gabion
