// Stores whose index is damaged, and servers that end in order.
#include "common/base/byte_units.h"
#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool IsWhole(const proto::AdminStatusReply& status) {
  return status.pgs() > 0 && status.pgs_healthy() == status.pgs();
}

const proto::ServerEntry* FindServer(const proto::AdminStatusReply& status, const std::string& host) {
  for (const proto::ServerEntry& server : status.servers()) {
    if (server.host() == host) return &server;
  }
  return nullptr;
}

TEST(LostStoreTest, AServerWhoseIndexIsDamagedBeginsAfresh) {
  SimCluster cluster({.seed = 31});
  PosixCalls client(cluster, "client1");
  const std::string bytes = Pattern(8 * kMiB, 1);
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/file", bytes))));
  for (const std::string& name : cluster.chunkservers()) {
    cluster.store(name).SetDamaged(true);
    // While it is read, and by others.
    const Result<std::string> read = cluster.Do(client.ReadFile("/file"));
    ASSERT_TRUE(IsOk(read)) << name;
    EXPECT_EQ(*read, bytes);
    ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/meanwhile-" + name, bytes))));
    // At the latest its next start finds out.
    if (cluster.store(name).is_damaged()) {
      cluster.Kill(name);
      cluster.Start(name);
    }
    ASSERT_TRUE(cluster.WaitForStatus([&](const proto::AdminStatusReply& status) {
      return !cluster.store(name).is_damaged() && IsWhole(status);
    })) << name;
  }
  for (const std::string& path :
       {std::string("/file"), std::string("/meanwhile-chunk1"), std::string("/meanwhile-chunk3")}) {
    const Result<std::string> read = cluster.Do(client.ReadFile(path));
    ASSERT_TRUE(IsOk(read)) << path;
    EXPECT_EQ(*read, bytes);
  }
}

TEST(LostStoreTest, TheOnlyCopyIsNotGivenUp) {
  SimCluster cluster({.seed = 32, .replicas = 1});
  PosixCalls client(cluster, "client1");
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/file", Pattern(1 * kMiB, 1)))));
  cluster.store("chunk1").SetDamaged(true);
  cluster.Kill("chunk1");
  cluster.Start("chunk1");
  const bool given_up = cluster.WaitForStatus(
      [&](const proto::AdminStatusReply&) { return !cluster.store("chunk1").is_damaged(); }, seconds(30));
  EXPECT_FALSE(given_up);
  const Result<proto::AdminStatusReply> status = cluster.Do(cluster.Status());
  ASSERT_TRUE(IsOk(status));
  const proto::ServerEntry* server = FindServer(*status, "chunk1");
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(server->lost_store());
  EXPECT_FALSE(server->alive());
  // The disk is put right, and nothing was lost.
  cluster.store("chunk1").SetDamaged(false);
  cluster.Kill("chunk1");
  cluster.Start("chunk1");
  ASSERT_TRUE(cluster.WaitForStatus(IsWhole));
  EXPECT_TRUE(IsOk(cluster.Do(client.ReadFile("/file"))));
}

TEST(LostStoreTest, NobodyWaitsForAServerThatWasStopped) {
  SimCluster cluster({.seed = 33, .chunkservers = 4});
  PosixCalls client(cluster, "client1");
  for (const std::string& name : cluster.chunkservers()) {
    const Duration before = cluster.world().elapsed();
    cluster.Do(cluster.StopGently(name));
    ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/file-" + name, Pattern(8 * kMiB, 1)))));
    EXPECT_LT(cluster.world().elapsed() - before, seconds(2)) << "a lease is 3 s";
    cluster.Start(name);
    ASSERT_TRUE(cluster.WaitForStatus(IsWhole));
  }
}

}  // namespace
}  // namespace gabion
