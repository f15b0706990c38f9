// What becomes of placement groups when servers go, come back and report.
#include "metaserver/cluster/cluster.h"
#include "metaserver/cluster/rebuild_policy.h"
#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class ClusterGroupsTest : public testing::Test {
 protected:
  /// Time goes by, in which `alive` send heartbeats.
  void Pass(Duration time, const std::vector<unsigned>& alive) {
    const TimePoint end = bench_.env().clock.Now() + time;
    while (bench_.env().clock.Now() < end) {
      bench_.world().RunFor(std::min<Duration>(seconds(1), end - bench_.env().clock.Now()));
      for (unsigned number : alive) ASSERT_TRUE(bench_.Heartbeat(number, number).has_value());
      Tick();
    }
  }
  void Tick() { ASSERT_TRUE(bench_.Do(bench_.cluster().ExpireLeases(bench_.env())).has_value()); }

  proto::PgEntry Group(int index = 0) { return bench_.Map().pgs(index); }
  std::uint32_t PrimaryOf(int index = 0) { return Group(index).primary(); }
  /// A member of the first group that is not its primary.
  unsigned Follower() {
    const proto::PgEntry group = Group();
    return group.members(0) == group.primary() ? group.members(1) : group.members(0);
  }
  /// All primaries say that all joiners have everything.
  void FinishJoins() {
    const proto::ClusterMap map = bench_.Map();
    std::map<unsigned, proto::HeartbeatRequest> requests;
    for (const proto::PgEntry& group : map.pgs()) {
      for (const proto::Joiner& joiner : group.joining())
        *requests[group.primary()].add_caught_up() = About(group, joiner.server_id());
    }
    for (auto& [number, request] : requests) ASSERT_TRUE(bench_.Report(number, request).has_value());
  }
  static proto::PgMember About(const proto::PgEntry& group, unsigned number) {
    proto::PgMember member;
    member.set_pg_id(group.pg_id());
    member.set_epoch(group.epoch());
    member.set_server_id(number);
    return member;
  }
  proto::HeartbeatReply Failing(unsigned number, bool full = false) {
    proto::HeartbeatRequest request;
    *request.add_failing() = About(Group(), number);
    request.mutable_failing(0)->set_full(full);
    request.mutable_failing(0)->set_why("no answer");
    CHECK(bench_.Report(PrimaryOf(), request).has_value());
    return *bench_.Heartbeat(number, number);
  }
  static std::vector<std::uint32_t> InSync(const proto::PgEntry& group) {
    return {group.in_sync().begin(), group.in_sync().end()};
  }
  std::vector<std::string> EventKinds() {
    std::vector<std::string> kinds;
    for (const EventLog::Numbered& event : bench_.cluster().LastEvents(100)) kinds.push_back(event.event.kind());
    return kinds;
  }

  MetaBench bench_;
};

TEST_F(ClusterGroupsTest, ADeadServerIsPutOutOfItsGroupsInOneStep) {
  const proto::ClusterMap before = bench_.Map();
  Pass(seconds(3), {2, 3});
  const proto::ClusterMap after = bench_.Map();
  EXPECT_EQ(after.version(), before.version() + 1) << "all groups with one map";
  for (const proto::PgEntry& group : after.pgs()) {
    EXPECT_EQ(group.epoch(), 2u);
    EXPECT_EQ(group.members_size(), 3);
    EXPECT_THAT(InSync(group), testing::UnorderedElementsAre(2, 3));
    EXPECT_NE(group.primary(), 1u);
    EXPECT_EQ(group.min_replicas(), 2u);
    EXPECT_THAT(group.joining(), IsEmpty());
  }
  EXPECT_EQ(bench_.cluster().GroupHealth().writable, 64u);
  EXPECT_EQ(bench_.cluster().GroupHealth().healthy, 0u);
  bench_.LosePower();
  EXPECT_EQ(Group().epoch(), 2u);
}

TEST_F(ClusterGroupsTest, AServerThatIsBackJoinsAndIsInSyncWhenThePrimarySaysSo) {
  Pass(seconds(3), {2, 3});
  const proto::HeartbeatReply reply = *bench_.Heartbeat(1, 1);
  ASSERT_TRUE(reply.has_map()) << "the lease is not renewed without the news";
  for (const proto::PgEntry& group : reply.map().pgs()) {
    EXPECT_EQ(group.epoch(), 3u);
    ASSERT_EQ(group.joining_size(), 1);
    EXPECT_EQ(group.joining(0).server_id(), 1u);
    EXPECT_EQ(group.joining(0).since_epoch(), 1u);
  }
  FinishJoins();
  EXPECT_EQ(bench_.cluster().GroupHealth().healthy, 64u);
  EXPECT_EQ(Group().epoch(), 4u);
  EXPECT_THAT(Group().joining(), IsEmpty());
}

TEST_F(ClusterGroupsTest, OnlyThePrimaryOfTheEpochSaysWhoCaughtUp) {
  Pass(seconds(3), {2, 3});
  ASSERT_TRUE(bench_.Heartbeat(1, 1).has_value());
  const proto::PgEntry group = Group();
  proto::HeartbeatRequest request;
  *request.add_caught_up() = About(group, 1);
  ASSERT_TRUE(bench_.Report(group.primary() == 2 ? 3 : 2, request).has_value());
  request.mutable_caught_up(0)->set_epoch(group.epoch() - 1);
  ASSERT_TRUE(bench_.Report(group.primary(), request).has_value());
  request.mutable_caught_up(0)->set_epoch(group.epoch());
  request.mutable_caught_up(0)->set_server_id(9);
  ASSERT_TRUE(bench_.Report(group.primary(), request).has_value());
  request.mutable_caught_up(0)->set_pg_id(999);
  ASSERT_TRUE(bench_.Report(group.primary(), request).has_value());
  EXPECT_EQ(Group().epoch(), group.epoch());
  EXPECT_EQ(InSync(Group()).size(), 2u);
}

TEST_F(ClusterGroupsTest, ARestartedServersGroupsStartAnewAndARestartedMetaserversDoNot) {
  bench_.RegisterServer(1);
  EXPECT_EQ(Group().epoch(), 1u) << "the same process";
  bench_.RegisterServer(1, "", 2);
  EXPECT_EQ(Group().epoch(), 2u);
  EXPECT_EQ(InSync(Group()).size(), 3u);
  bench_.Restart();
  bench_.RegisterServer(1, "", 2);
  EXPECT_EQ(Group().epoch(), 2u);
  bench_.RegisterServer(1, "", 3, true);
  const proto::ClusterMap map = bench_.Map();
  for (const proto::PgEntry& group : map.pgs()) {
    EXPECT_EQ(group.epoch(), 3u);
    EXPECT_NE(group.primary(), 1u) << "it may have lost what was not synced";
  }
}

TEST_F(ClusterGroupsTest, ServersOfAnOldReleaseStayInSync) {
  for (unsigned number = 1; number <= 3; ++number) bench_.RegisterServer(number, "", 0);
  const std::uint32_t epoch = Group().epoch();
  Pass(seconds(4), {2, 3});
  bench_.RegisterServer(1, "", 0);
  EXPECT_EQ(Group().epoch(), epoch);
  EXPECT_EQ(InSync(Group()).size(), 3u);
}

TEST_F(ClusterGroupsTest, AFailingMemberReleasesTheGroupAndJoinsAfterAPause) {
  const unsigned follower = Follower();
  const proto::HeartbeatReply asked = Failing(follower);
  ASSERT_EQ(asked.release_size(), 1);
  EXPECT_EQ(asked.release(0).pg_id(), Group().pg_id());
  EXPECT_EQ(asked.release(0).epoch(), 1u);
  EXPECT_EQ(InSync(Group()).size(), 3u) << "it may be serving";
  proto::HeartbeatRequest request;
  *request.add_released() = asked.release(0);
  const proto::HeartbeatReply reply = *bench_.Report(follower, request);
  EXPECT_THAT(reply.release(), IsEmpty());
  EXPECT_EQ(InSync(Group()).size(), 2u);
  EXPECT_EQ(Group().epoch(), 2u);
  bench_.world().RunFor(milliseconds(900));
  Tick();
  EXPECT_EQ(Group().joining_size(), 0);
  bench_.world().RunFor(milliseconds(100));
  Tick();
  ASSERT_EQ(Group().joining_size(), 1);
  EXPECT_EQ(Group().joining(0).since_epoch(), 1u);
}

TEST_F(ClusterGroupsTest, AMemberThatDoesWhatItIsAskedAgainIsNotAskedToGo) {
  const unsigned follower = Follower();
  proto::HeartbeatRequest request;
  *request.add_failing() = About(Group(), follower);
  ASSERT_TRUE(bench_.Report(PrimaryOf(), request).has_value());
  ASSERT_TRUE(bench_.Heartbeat(PrimaryOf(), PrimaryOf()).has_value());
  EXPECT_THAT(bench_.Heartbeat(follower, follower)->release(), IsEmpty());
}

TEST_F(ClusterGroupsTest, NobodyIsAskedToReleaseWhatIsNeeded) {
  Pass(seconds(3), {2, 3});
  EXPECT_THAT(Failing(PrimaryOf() == 2 ? 3 : 2).release(), IsEmpty());
}

TEST_F(ClusterGroupsTest, AMemberThatStaysAwayIsMadeAnewElsewhere) {
  bench_.RegisterServer(4);
  Pass(seconds(3), {2, 3, 4});
  Pass(bench_.options().down_out, {2, 3, 4});
  std::map<std::uint32_t, std::uint32_t> rebuilds;
  const proto::ClusterMap map = bench_.Map();
  for (const proto::PgEntry& group : map.pgs()) {
    for (const proto::Joiner& joiner : group.joining()) {
      EXPECT_EQ(joiner.since_epoch(), 0u);
      EXPECT_THAT(group.members(), testing::Not(testing::Contains(1u)));
      ++rebuilds[joiner.server_id()];
    }
  }
  EXPECT_EQ(rebuilds[4], kMaxRebuildsPerServer) << "a few at a time";
  for (int round = 0; round < 40; ++round) {
    FinishJoins();
    Pass(seconds(1), {2, 3, 4});
  }
  EXPECT_EQ(bench_.cluster().GroupHealth().healthy, bench_.cluster().GroupHealth().groups);
}

TEST_F(ClusterGroupsTest, GarbageIsForJoinersAndForThoseWhoLeft) {
  MetaClient client(bench_);
  client.File(kRootIno, "a");
  Pass(seconds(3), {2, 3});
  ASSERT_TRUE(client.Unlink(kRootIno, "a").has_value());
  EXPECT_EQ(bench_.Garbage().size(), 3u) << "the one that is away has it too";
  client.File(kRootIno, "b");
  bench_.RegisterServer(4);
  Pass(bench_.options().down_out, {2, 3, 4});
  EXPECT_EQ(bench_.Heartbeat(1, 1)->delete_chunks_size(), 1) << "whatever it is a member of";
}

TEST_F(ClusterGroupsTest, NoEpochThatWasShownIsTakenBack) {
  std::map<std::uint32_t, std::uint32_t> shown;
  auto show = [&](const proto::ClusterMap& map) {
    for (const proto::PgEntry& group : map.pgs()) {
      EXPECT_GE(group.epoch(), shown[group.pg_id()]);
      shown[group.pg_id()] = group.epoch();
    }
  };
  std::uint64_t incarnation = 1;
  for (int round = 0; round < 20; ++round) {
    show(bench_.RegisterServer(1, "", ++incarnation).map());
    bench_.LosePower();
    show(bench_.Map());
    Pass(seconds(3), {2, 3});
    bench_.LosePower();
    show(bench_.Heartbeat(1, 1)->map());
    bench_.LosePower();
    show(bench_.Map());
    FinishJoins();
    bench_.LosePower();
    show(bench_.Map());
  }
  EXPECT_GT(shown.begin()->second, 60u);
}

TEST_F(ClusterGroupsTest, AMapThatCannotBeMadeDurableIsNotShown) {
  bench_.world().RunFor(seconds(3));
  bench_.kv().contents().FailSync(true);
  EXPECT_FALSE(bench_.Do(bench_.cluster().ExpireLeases(bench_.env())).has_value());
  EXPECT_EQ(CodeOf(bench_.Do(bench_.cluster().Map())), ErrorCode::kUnavailable);
  bench_.kv().contents().FailSync(false);
  EXPECT_EQ(CodeOf(bench_.Do(bench_.cluster().Map())), ErrorCode::kOk);
}

TEST_F(ClusterGroupsTest, AStoreThatTookNoChangeShowsNone) {
  bench_.world().RunFor(seconds(3));
  ASSERT_TRUE(bench_.Heartbeat(2, 2).has_value());
  bench_.kv().contents().FailApply(true);
  EXPECT_FALSE(bench_.Do(bench_.cluster().ExpireLeases(bench_.env())).has_value());
  EXPECT_EQ(CodeOf(bench_.Do(bench_.cluster().Map())), ErrorCode::kUnavailable);
}

TEST_F(ClusterGroupsTest, AStandstillOfTheMetaserverIsNoFaultOfTheServers) {
  bench_.world().RunFor(seconds(10));
  bench_.cluster().ExtendLeases(seconds(10));
  Tick();
  EXPECT_EQ(Group().epoch(), 1u);
}

TEST_F(ClusterGroupsTest, TellsWhatHappened) {
  Pass(seconds(3), {2, 3});
  ASSERT_TRUE(bench_.Heartbeat(1, 1).has_value());
  FinishJoins();
  bench_.RegisterServer(2, "", 2, true);
  EXPECT_THAT(EventKinds(),
              ElementsAre("server-registered", "server-registered", "server-registered", "volume-created",
                          "server-away", "groups-changed", "recovery-started", "server-back", "groups-changed",
                          "groups-changed", "groups-changed", "recovery-finished", "server-restarted"));
  bench_.Restart();
  EXPECT_EQ(EventKinds().back(), "server-restarted");
  const EventLog::Numbered last = bench_.cluster().LastEvents(1).front();
  EXPECT_EQ(last.number, 13u);
  EXPECT_EQ(last.event.server_id(), 2u);
  EXPECT_THAT(last.event.text(), testing::HasSubstr("may be gone"));
}

TEST_F(ClusterGroupsTest, OldEventsGo) {
  for (std::size_t i = 0; i < EventLog::kMaxEvents; ++i) bench_.cluster().AddEvent("test", "text", bench_.env());
  bench_.Restart();
  EXPECT_EQ(bench_.cluster().LastEvents(SIZE_MAX).size(), EventLog::kMaxEvents);
  EXPECT_EQ(bench_.cluster().LastEvents(SIZE_MAX).front().event.kind(), "test");
  EXPECT_EQ(bench_.CountRecords(Table::kEvent), EventLog::kMaxEvents);
}

}  // namespace
}  // namespace gabion
