// A server that is no member of a group any more gives the space of its chunks back.
#include "chunkserver/pg/strays.h"

#include "tests/unit/chunkserver/test_cluster.h"

namespace gabion {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t kFirstStray = 100;
constexpr std::uint64_t kStrayCount = 20;
constexpr std::uint32_t kStrayBytes = 20'000;

class StraysTest : public testing::Test {
 protected:
  StraysTest() {
    for (std::uint64_t chunk = kFirstStray; chunk < kFirstStray + kStrayCount; ++chunk) {
      EXPECT_EQ(CodeOf(cluster_.Write(chunk, 0, Pattern(kStrayBytes, chunk))), ErrorCode::kOk);
    }
    EXPECT_TRUE(cluster_.WaitUntilNothingIsUnsettled());
  }

  /// Server 3 is a member no more.
  void Leave(std::uint32_t replicas) {
    proto::PgEntry& group = cluster_.metaserver().pg();
    group.set_replicas(replicas);
    group.clear_members();
    group.add_members(1);
    group.add_members(2);
    cluster_.Elect({1, 2});
  }

  std::uint64_t CountOn(int server) {
    std::uint64_t count = 0;
    for (std::uint64_t chunk = kFirstStray; chunk < kFirstStray + kStrayCount; ++chunk) {
      count += cluster_.HasChunk(server, chunk) ? 1 : 0;
    }
    return count;
  }

  TestCluster cluster_;
};

TEST_F(StraysTest, GoWhenTheGroupHasAllItsCopiesElsewhere) {
  Leave(2);
  cluster_.world().RunFor(seconds(120));
  EXPECT_EQ(CountOn(1), kStrayCount);
  EXPECT_EQ(CountOn(2), kStrayCount);
  EXPECT_EQ(CountOn(3), 0u);
}

TEST_F(StraysTest, StayWhileTheGroupLacksACopy) {
  Leave(3);
  cluster_.world().RunFor(seconds(120));
  EXPECT_EQ(CountOn(3), kStrayCount);
}

TEST_F(StraysTest, MembersKeepWhatTheyHaveInSyncOrAway) {
  cluster_.metaserver().pg().set_replicas(2);
  cluster_.Elect({1, 2});  // server 3 is away, and a member still
  cluster_.world().RunFor(seconds(120));
  EXPECT_EQ(CountOn(3), kStrayCount);
}

TEST_F(StraysTest, OneThatIsAMemberAgainGetsAllOfThemBack) {
  Leave(2);
  cluster_.world().RunFor(seconds(120));
  ASSERT_EQ(CountOn(3), 0u);
  cluster_.metaserver().pg().add_members(3);
  ASSERT_TRUE(cluster_.Join(3, 0));
  EXPECT_EQ(CountOn(3), kStrayCount);
}

}  // namespace
}  // namespace gabion
