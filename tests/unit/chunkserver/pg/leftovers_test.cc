// The space of groups that have left a server is given back, and nothing else is.
#include "chunkserver/pg/leftovers.h"

#include "tests/unit/chunkserver/test_cluster.h"

namespace gabion {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t kLeft = 7;

TEST(LeftoversTest, OnlyWhatIsWholeElsewhereIsALeftover) {
  proto::ClusterMap map;
  proto::PgEntry& group = *map.add_pgs();
  group.set_pg_id(1);
  group.set_replicas(2);
  for (std::uint32_t member : {2u, 3u}) {
    group.add_members(member);
    group.add_in_sync(member);
  }
  auto is_leftover = [&](std::uint32_t server, std::uint32_t pg = 1) {
    return IsLeftover(**MembershipView::FromMap(map), ServerId(server), PgId(pg));
  };
  EXPECT_TRUE(is_leftover(1));
  EXPECT_FALSE(is_leftover(2));
  EXPECT_FALSE(is_leftover(1, 2)) << "a newer map may know it";
  group.add_members(1);
  EXPECT_FALSE(is_leftover(1)) << "away, and to be brought in sync";
  group.mutable_members()->RemoveLast();
  group.mutable_in_sync()->RemoveLast();
  EXPECT_FALSE(is_leftover(1)) << "a copy is missing";
  group.set_replicas(0);
  group.clear_in_sync();
  EXPECT_FALSE(is_leftover(1));
}

class LeftoversClusterTest : public testing::Test {
 protected:
  LeftoversClusterTest() {
    EXPECT_EQ(CodeOf(cluster_.Write(kLeft, 0, bytes_)), ErrorCode::kOk);
    EXPECT_TRUE(cluster_.WaitUntilNothingIsUnsettled());
  }

  /// A new epoch with these two alone.
  void LeaveGroupTo(std::uint32_t first, std::uint32_t second) {
    cluster_.metaserver().pg().set_replicas(2);
    cluster_.metaserver().pg().clear_members();
    for (std::uint32_t member : {first, second}) cluster_.metaserver().pg().add_members(member);
    cluster_.Elect({first, second});
  }
  bool IsTidy(int server) {
    const proto::HeartbeatRequest heartbeat = cluster_.NextHeartbeat(server);
    return heartbeat.tidy();
  }
  bool WaitUntilTidy(int server) {
    for (int i = 0; i < 60; ++i) {
      if (IsTidy(server)) return true;
      cluster_.world().RunFor(seconds(1));
    }
    return false;
  }

  TestCluster cluster_;
  const std::string bytes_ = Pattern(300'000, 1);
};

TEST_F(LeftoversClusterTest, AGroupThatLeftIsKeptForAWhileAndThenRemoved) {
  EXPECT_TRUE(WaitUntilTidy(3));
  LeaveGroupTo(1, 2);
  cluster_.world().RunFor(Leftovers::kKept - seconds(2));
  EXPECT_TRUE(cluster_.HasChunk(3, kLeft));
  EXPECT_FALSE(IsTidy(3));
  EXPECT_TRUE(WaitUntilTidy(3));
  EXPECT_FALSE(cluster_.HasChunk(3, kLeft));
  EXPECT_EQ(cluster_.ReadAll(kLeft, 0, static_cast<std::uint32_t>(bytes_.size())), bytes_);
}

TEST_F(LeftoversClusterTest, AServerThatIsMadeAMemberAgainGetsEverythingAnew) {
  LeaveGroupTo(1, 2);
  cluster_.world().RunFor(seconds(2));  // until the map is there
  ASSERT_TRUE(WaitUntilTidy(3));
  ASSERT_FALSE(cluster_.HasChunk(3, kLeft));
  cluster_.metaserver().pg().add_members(3);
  ASSERT_TRUE(cluster_.Join(3, 0));
  cluster_.Elect({3, 1, 2});
  EXPECT_EQ(cluster_.ReadAll(kLeft, 0, static_cast<std::uint32_t>(bytes_.size())), bytes_) << "from all three";
}

TEST_F(LeftoversClusterTest, AServerThatIsAwayKeepsWhatItHas) {
  cluster_.Elect({1, 2});
  cluster_.world().RunFor(2 * Leftovers::kKept);
  EXPECT_TRUE(cluster_.HasChunk(3, kLeft));
  EXPECT_TRUE(IsTidy(3)) << "there is nothing that it may remove";
}

}  // namespace
}  // namespace gabion
