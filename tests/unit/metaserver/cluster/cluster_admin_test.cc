// What administrators see of the cluster, and do to it.
#include "metaserver/admin/admin_ops.h"
#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

using std::chrono::seconds;

class ClusterAdminTest : public testing::Test {
 protected:
  void Pass(Duration time, const std::vector<unsigned>& alive) {
    const TimePoint end = bench_.env().clock.Now() + time;
    while (bench_.env().clock.Now() < end) {
      bench_.world().RunFor(std::min<Duration>(seconds(1), end - bench_.env().clock.Now()));
      for (unsigned number : alive) ObeyAndReport(number);
      ASSERT_TRUE(bench_.Do(bench_.cluster().ExpireLeases(bench_.env())).has_value());
    }
  }
  /// A heartbeat of a server that brings joiners in sync at once and releases what it is asked to.
  void ObeyAndReport(unsigned number) {
    proto::HeartbeatRequest request;
    const proto::ClusterMap map = bench_.Map();
    for (const proto::PgEntry& group : map.pgs()) {
      if (group.primary() != number) continue;
      for (const proto::Joiner& joiner : group.joining()) {
        proto::PgMember* caught_up = request.add_caught_up();
        caught_up->set_pg_id(group.pg_id());
        caught_up->set_epoch(group.epoch());
        caught_up->set_server_id(joiner.server_id());
      }
    }
    *request.mutable_released() = asked_[number];
    Result<proto::HeartbeatReply> reply = bench_.Report(number, request);
    ASSERT_TRUE(reply.has_value());
    asked_[number] = reply->release();
  }
  proto::ServerEntry Server(unsigned number) {
    const proto::ClusterMap map = bench_.Map();
    for (const proto::ServerEntry& server : map.servers()) {
      if (server.server_id() == number) return server;
    }
    return {};
  }
  ErrorCode Drain(unsigned number, bool undo = false) {
    return CodeOf(bench_.Do(bench_.cluster().Drain(ServerId(number), undo, bench_.env())));
  }
  ErrorCode Remove(unsigned number) {
    return CodeOf(bench_.Do(bench_.cluster().Remove(ServerId(number), bench_.env())));
  }
  ErrorCode BeginMaintenance(unsigned number, Duration time = seconds(3600), bool force = false) {
    return CodeOf(bench_.Do(bench_.cluster().BeginMaintenance(ServerId(number), time, force, bench_.env())));
  }
  ErrorCode EndMaintenance(unsigned number) {
    return CodeOf(bench_.Do(bench_.cluster().EndMaintenance(ServerId(number), bench_.env())));
  }
  std::string LastKind() { return bench_.cluster().LastEvents(1).front().event.kind(); }
  proto::RecoveryStatus Recovery() { return bench_.Do(admin_.Status(bench_.env()))->recovery(); }

  MetaBench bench_;
  AdminOps admin_{bench_.volumes(), bench_.cluster(), bench_.options(), bench_.env().clock.Now()};
  std::map<unsigned, google::protobuf::RepeatedPtrField<proto::PgRelease>> asked_;
};

TEST_F(ClusterAdminTest, ADrainedServerCanBeRemoved) {
  MetaClient client(bench_);
  client.File(kRootIno, "a");
  ASSERT_TRUE(client.Unlink(kRootIno, "a").has_value());
  bench_.RegisterServer(4);
  EXPECT_EQ(Remove(1), ErrorCode::kBusy);
  EXPECT_EQ(Drain(1), ErrorCode::kOk);
  EXPECT_TRUE(Server(1).draining());
  Pass(seconds(120), {1, 2, 3, 4});
  EXPECT_EQ(Server(1).pgs(), 0u);
  EXPECT_EQ(bench_.cluster().LastEvents(1).front().event.kind(), "server-drained");
  EXPECT_EQ(bench_.cluster().GroupHealth().healthy, bench_.cluster().GroupHealth().groups);
  EXPECT_EQ(Remove(1), ErrorCode::kBusy) << "it is running";
  Pass(seconds(4), {2, 3, 4});
  EXPECT_EQ(bench_.Heartbeat(4, 4)->delete_chunks_size(), 0);
  EXPECT_EQ(Remove(1), ErrorCode::kOk);
  EXPECT_EQ(bench_.Heartbeat(4, 4)->delete_chunks_size(), 1) << "it may have got from 1 what 1 was to delete";
  EXPECT_EQ(bench_.Garbage().size(), 3u);
  EXPECT_EQ(Remove(1), ErrorCode::kNotFound);
  bench_.LosePower();
  EXPECT_EQ(Server(1).server_id(), 0u);
  EXPECT_EQ(bench_.RegisterServer(1).server_id(), 5u) << "a number is never given again";
}

TEST_F(ClusterAdminTest, ADrainCanBeTakenBackAndSurvives) {
  EXPECT_EQ(Drain(9), ErrorCode::kNotFound);
  EXPECT_EQ(Drain(1), ErrorCode::kOk);
  EXPECT_EQ(Drain(1), ErrorCode::kOk);
  bench_.LosePower();
  EXPECT_TRUE(Server(1).draining());
  EXPECT_EQ(Drain(1, true), ErrorCode::kOk);
  EXPECT_FALSE(Server(1).draining());
  EXPECT_EQ(Server(1).pgs(), 64u);
}

TEST_F(ClusterAdminTest, ADeadServerIsDrainedAtOnce) {
  bench_.RegisterServer(4);
  Pass(seconds(4), {2, 3, 4});
  EXPECT_EQ(Drain(1), ErrorCode::kOk);
  Pass(seconds(60), {2, 3, 4});
  EXPECT_EQ(Server(1).pgs(), 0u);
  EXPECT_EQ(Remove(1), ErrorCode::kOk);
}

TEST_F(ClusterAdminTest, AServerInMaintenanceIsNotReplacedAndComesBack) {
  bench_.RegisterServer(4);
  const std::uint32_t groups = Server(1).pgs();
  EXPECT_EQ(BeginMaintenance(1), ErrorCode::kOk);
  const std::int64_t left_ns = Server(1).maintenance_until_ns() - bench_.env().clock.WallNowNs();
  EXPECT_NEAR(static_cast<double>(left_ns) / 1e9, 3600, 1);
  const proto::ClusterMap map = bench_.Map();
  for (const proto::PgEntry& group : map.pgs()) EXPECT_NE(group.primary(), 1u);
  Pass(seconds(1000), {2, 3, 4});
  EXPECT_FALSE(Server(1).alive());
  EXPECT_EQ(Server(1).pgs(), groups);
  EXPECT_EQ(EndMaintenance(1), ErrorCode::kOk);
  EXPECT_EQ(LastKind(), "server-maintenance-ended");
  Pass(seconds(590), {2, 3, 4});
  EXPECT_EQ(Server(1).pgs(), groups) << "it is missed from now on";
  Pass(seconds(20), {2, 3, 4});
  EXPECT_LT(Server(1).pgs(), groups);
}

TEST_F(ClusterAdminTest, MaintenanceEndsByItselfAlsoAfterARestart) {
  EXPECT_EQ(BeginMaintenance(1, seconds(100)), ErrorCode::kOk);
  EXPECT_EQ(BeginMaintenance(1, seconds(200)), ErrorCode::kOk);
  Pass(seconds(150), {1, 2, 3});
  bench_.LosePower();
  EXPECT_NE(Server(1).maintenance_until_ns(), 0);
  Pass(seconds(45), {1, 2, 3});
  EXPECT_NE(Server(1).maintenance_until_ns(), 0);
  Pass(seconds(6), {1, 2, 3});
  EXPECT_EQ(Server(1).maintenance_until_ns(), 0);
  EXPECT_EQ(LastKind(), "server-maintenance-ended");
  bench_.LosePower();
  EXPECT_EQ(Server(1).maintenance_until_ns(), 0);
}

TEST_F(ClusterAdminTest, MaintenanceIsRefusedWhereItWouldTakeDataOutOfReach) {
  EXPECT_EQ(BeginMaintenance(9), ErrorCode::kNotFound);
  EXPECT_EQ(EndMaintenance(9), ErrorCode::kNotFound);
  EXPECT_EQ(EndMaintenance(1), ErrorCode::kOk);
  EXPECT_EQ(BeginMaintenance(1, seconds(0)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(BeginMaintenance(1, Cluster::kMaxMaintenance + seconds(1)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(BeginMaintenance(1, Cluster::kMaxMaintenance), ErrorCode::kOk);
  EXPECT_EQ(BeginMaintenance(2), ErrorCode::kOk);
  EXPECT_EQ(BeginMaintenance(3), ErrorCode::kBusy);
  EXPECT_EQ(Server(3).maintenance_until_ns(), 0);
  EXPECT_EQ(BeginMaintenance(3, seconds(60), true), ErrorCode::kOk);
  EXPECT_NE(Server(3).maintenance_until_ns(), 0);
}

TEST_F(ClusterAdminTest, RecoveryTellsWhatIsAtRiskAndHowFarItHasCome) {
  EXPECT_EQ(Recovery().pgs_degraded(), 0u);
  Pass(seconds(4), {2, 3});
  EXPECT_EQ(Recovery().pgs_degraded(), 64u);
  EXPECT_EQ(Recovery().fewest_copies(), 2u);
  EXPECT_EQ(Recovery().pgs_with_fewest(), 64u);
  EXPECT_THAT(Recovery().missing_servers(), testing::ElementsAre(1u));
  EXPECT_EQ(Recovery().joiners(), 0u);
  ASSERT_TRUE(bench_.Heartbeat(1, 1).has_value());
  const proto::PgEntry group = bench_.Map().pgs(0);
  proto::HeartbeatRequest request;
  proto::PgProgress* progress = request.add_progress();
  progress->set_pg_id(group.pg_id());
  progress->set_server_id(1);
  progress->set_chunks_left(2);
  progress->set_bytes_left(1000);
  progress->set_bytes_sent(10);
  ASSERT_TRUE(bench_.Report(group.primary(), request).has_value());
  EXPECT_EQ(Recovery().joiners(), 64u);
  EXPECT_EQ(Recovery().bytes_left(), 1000u);
  EXPECT_TRUE(Recovery().missing_servers().empty());

  proto::PgListRequest list;
  list.set_pg_id(group.pg_id());
  const proto::PgListReply shown = *bench_.Do(admin_.ListGroups(list));
  ASSERT_EQ(shown.pgs_size(), 1);
  EXPECT_EQ(shown.pgs(0).epoch(), group.epoch());
  EXPECT_TRUE(shown.pgs(0).writable());
  for (const proto::PgMemberEntry& member : shown.pgs(0).members()) {
    EXPECT_EQ(member.state(), member.server_id() == 1 ? proto::PG_MEMBER_JOINING : proto::PG_MEMBER_IN_SYNC);
    EXPECT_EQ(member.chunks_left(), member.server_id() == 1 ? 2u : 0u);
  }
  list.set_pg_id(999);
  EXPECT_EQ(CodeOf(bench_.Do(admin_.ListGroups(list))), ErrorCode::kNotFound);
}

TEST_F(ClusterAdminTest, ListsTheLastEvents) {
  proto::EventListRequest request;
  request.set_limit(2);
  const proto::EventListReply reply = admin_.ListEvents(request);
  ASSERT_EQ(reply.events_size(), 2);
  EXPECT_EQ(reply.events(0).kind(), "server-registered");
  EXPECT_EQ(reply.events(1).kind(), "volume-created");
  EXPECT_EQ(reply.events(1).number(), 4u);
}

}  // namespace
}  // namespace gabion
