// Groups that move between servers that report what they hold.
#include "metaserver/admin/admin_ops.h"
#include "metaserver/cluster/balance_policy.h"
#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kGroupBytes = 1ull << 30;

/// Servers 1 to 4, of which the last one joins later; every group has as many bytes.
class ClusterBalanceTest : public testing::Test {
 protected:
  void Pass(Duration time) {
    const TimePoint end = bench_.env().clock.Now() + time;
    while (bench_.env().clock.Now() < end) {
      bench_.world().RunFor(seconds(1));
      const proto::ClusterMap map = bench_.Map();
      for (const proto::ServerEntry& server : map.servers()) Beat(server);
      ASSERT_TRUE(bench_.Do(bench_.cluster().ExpireLeases(bench_.env())).has_value());
    }
  }

  /// The server has done what it was asked, and says so.
  void Beat(const proto::ServerEntry& server) {
    const unsigned number = server.server_id();
    const proto::ClusterMap map = bench_.Map();
    proto::HeartbeatRequest request;
    request.set_map_version(map.version());
    request.set_tidy(tidy_);
    proto::DiskReport* disk = request.add_disks();
    disk->set_online(true);
    disk->set_used_bytes(server.pgs() * kGroupBytes);
    for (const proto::PgEntry& group : map.pgs()) {
      if (group.primary() != number) continue;
      for (const proto::Joiner& joiner : group.joining()) {
        proto::PgProgress* progress = request.add_progress();
        progress->set_pg_id(group.pg_id());
        progress->set_server_id(joiner.server_id());
        progress->set_bytes_left(kGroupBytes);
        if (!finish_) continue;
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

  Cluster::BalanceView Balance() { return bench_.cluster().ViewBalance(bench_.env().clock.Now()); }
  std::vector<std::string> EventKinds() {
    std::vector<std::string> kinds;
    for (const EventLog::Numbered& event : bench_.cluster().LastEvents(1000)) kinds.push_back(event.event.kind());
    return kinds;
  }
  std::string LastTextOf(const std::string& kind) {
    std::string text;
    for (const EventLog::Numbered& event : bench_.cluster().LastEvents(1000)) {
      if (event.event.kind() == kind) text = event.event.text();
    }
    return text;
  }

  MetaBench bench_;
  bool tidy_ = true;
  bool finish_ = true;
  std::map<unsigned, google::protobuf::RepeatedPtrField<proto::PgRelease>> asked_;
};

TEST_F(ClusterBalanceTest, AServerThatJoinsGetsItsShareOfWhatIsThere) {
  Pass(seconds(20));
  EXPECT_FALSE(Balance().under_way);
  bench_.RegisterServer(4);
  Pass(seconds(600));
  double mean = 0;
  const proto::ClusterMap map = bench_.Map();
  for (const proto::ServerEntry& server : map.servers()) mean += server.pgs() / 400.0;
  for (const proto::ServerEntry& server : map.servers())
    EXPECT_NEAR(server.pgs() / 100.0, mean, kBalancedWithin + 1e-9);
  for (const proto::PgEntry& group : map.pgs()) {
    EXPECT_EQ(group.members_size(), 3);
    EXPECT_EQ(group.in_sync_size(), 3);
  }
  EXPECT_FALSE(Balance().under_way);
  EXPECT_THAT(EventKinds(), Contains("balance-finished"));
  EXPECT_THAT(EventKinds(), Not(Contains("recovery-started"))) << "no group lacked a copy";
  EXPECT_THAT(LastTextOf("group-moves"), HasSubstr("to chunkserver 4 ("));
  EXPECT_THAT(LastTextOf("group-moves"), HasSubstr("nearer to the mean of"));
  const std::uint64_t version = bench_.Map().version();
  Pass(seconds(100));
  EXPECT_EQ(bench_.Map().version(), version) << "and that is all";
}

TEST_F(ClusterBalanceTest, StatusTellsWhatMovesAlsoAfterARestart) {
  bench_.RegisterServer(4);
  finish_ = false;
  Pass(seconds(20));
  EXPECT_TRUE(Balance().under_way);
  EXPECT_EQ(Balance().moving, 1u) << "one that takes, one at a time";
  EXPECT_EQ(Balance().bytes_left, kGroupBytes);
  bench_.LosePower();
  EXPECT_EQ(Balance().moving, 1u);
  finish_ = true;
  Pass(seconds(600));
  EXPECT_FALSE(Balance().under_way);
}

TEST_F(ClusterBalanceTest, WhoDoesNotSayThatItIsTidyIsLeftAlone) {
  tidy_ = false;
  bench_.RegisterServer(4);
  Pass(seconds(100));
  EXPECT_THAT(EventKinds(), Not(Contains("group-moves")));
  EXPECT_TRUE(Balance().under_way) << "they would move";
}

TEST_F(ClusterBalanceTest, ADrainComesFirst) {
  bench_.RegisterServer(4);
  finish_ = false;
  Pass(seconds(20));
  ASSERT_EQ(Balance().moving, 1u);
  ASSERT_TRUE(bench_.Do(bench_.cluster().Drain(ServerId(1), false, bench_.env())).has_value());
  EXPECT_EQ(Balance().moving, 0u);
  EXPECT_THAT(EventKinds(), Contains("group-stays"));
  finish_ = true;
  Pass(seconds(300));
  EXPECT_THAT(EventKinds(), Contains("server-drained"));
}

}  // namespace
}  // namespace gabion
