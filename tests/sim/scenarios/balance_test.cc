// A server is added to a cluster that is in use.
#include <algorithm>
#include <cmath>

#include "common/base/byte_units.h"
#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr int kMovedFiles = 80;
constexpr std::size_t kMovedFileBytes = 1 * kMiB;

std::string PathOf(int file) {
  return "/file" + std::to_string(file);
}

double ShareOf(const proto::ServerEntry& server) {
  return static_cast<double>(server.used_bytes()) / static_cast<double>(server.capacity_bytes());
}

/// Whether nothing moves, and every server is used as the mean of all is.
bool IsBalanced(const proto::AdminStatusReply& status) {
  double mean = 0;
  for (const proto::ServerEntry& server : status.servers()) mean += ShareOf(server) / status.servers_size();
  return !status.balance().under_way() && status.pgs_healthy() == status.pgs() &&
         std::all_of(status.servers().begin(), status.servers().end(),
                     [&](const proto::ServerEntry& server) { return std::abs(ShareOf(server) - mean) <= 0.05; });
}

class BalanceTest : public testing::Test {
 protected:
  void Write(int first, int end) {
    for (int i = first; i < end; ++i) {
      const std::string bytes = Pattern(kMovedFileBytes, static_cast<std::uint64_t>(i));
      ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFileDurably(PathOf(i), bytes))));
    }
  }
  void ExpectIntact() {
    for (int i = 0; i < kMovedFiles; ++i) {
      const Result<std::string> read = cluster_.Do(client_.ReadFile(PathOf(i)));
      ASSERT_TRUE(IsOk(read)) << PathOf(i);
      ASSERT_EQ(*read, Pattern(kMovedFileBytes, static_cast<std::uint64_t>(i))) << PathOf(i);
    }
  }

  SimCluster cluster_{{.seed = 71,
                       .chunkservers = 4,
                       .spare_chunkservers = 1,
                       .pgs_per_policy = 32,
                       .slab_bytes = 8 * kMiB,
                       .disk_bytes = 160 * kMiB}};
  PosixCalls client_{cluster_, "client1"};
};

TEST_F(BalanceTest, AnAddedServerGetsItsShareWhileClientsWrite) {
  Write(0, kMovedFiles / 2);
  cluster_.Start("chunk5");
  ASSERT_TRUE(
      cluster_.WaitForStatus([](const proto::AdminStatusReply& status) { return status.balance().pgs_moving() > 0; }));
  Write(kMovedFiles / 2, kMovedFiles);
  EXPECT_TRUE(cluster_.WaitForStatus(&IsBalanced, minutes(60)));
  ExpectIntact();
  cluster_.world().RunFor(minutes(5));
  EXPECT_TRUE(IsBalanced(*cluster_.Do(cluster_.Status()))) << "and stays so";
  // What moved is where the map says, and nowhere else is needed for it.
  for (const char* name : {"chunk1", "chunk2"}) {
    cluster_.Kill(name);
    cluster_.world().RunFor(seconds(5));
    ExpectIntact();
    cluster_.Start(name);
    ASSERT_TRUE(cluster_.WaitForStatus(
        [](const proto::AdminStatusReply& status) { return status.pgs_healthy() == status.pgs(); }, minutes(10)));
  }
}

TEST_F(BalanceTest, AServerThatDiesOnTheWayCostsNothing) {
  Write(0, kMovedFiles);
  cluster_.Start("chunk5");
  for (const char* name : {"chunk5", "chunk3"}) {
    ASSERT_TRUE(cluster_.WaitForStatus(
        [](const proto::AdminStatusReply& status) { return status.balance().pgs_moving() > 0; }, minutes(20)));
    cluster_.LosePower(name);
    cluster_.world().RunFor(seconds(20));
    ExpectIntact();
    cluster_.Start(name);
  }
  EXPECT_TRUE(cluster_.WaitForStatus(&IsBalanced, minutes(60)));
  ExpectIntact();
}

}  // namespace
}  // namespace gabion
