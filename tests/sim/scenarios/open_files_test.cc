// Files that are open and have no name; sessions that end; what remains of either.
#include "common/base/byte_units.h"
#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

bool NothingRemains(SimCluster& cluster, std::uint64_t inodes) {
  return cluster.WaitForStatus(
      [inodes](const proto::AdminStatusReply& status) {
        return status.garbage_chunks() == 0 && status.volumes(0).inodes() == inodes;
      },
      minutes(2));
}

std::uint64_t InodesNow(SimCluster& cluster) {
  const Result<proto::AdminStatusReply> status = cluster.Do(cluster.Status());
  CHECK(status.has_value());
  return status->volumes(0).inodes();
}

TEST(OpenFilesTest, UnlinkedFileLivesUntilTheLastCloseAcrossARestart) {
  SimCluster cluster({.seed = 41, .clients = 2});
  PosixCalls one(cluster, "client1");
  PosixCalls two(cluster, "client2");
  const std::uint64_t empty = InodesNow(cluster);
  const std::string bytes = Pattern(300'000, 1);
  ASSERT_TRUE(IsOk(cluster.Do(one.WriteFile("/file", bytes))));
  const Result<Fd> fd = cluster.Do(one.Open("/file", O_RDWR));
  ASSERT_TRUE(IsOk(fd));
  ASSERT_TRUE(IsOk(cluster.Do(two.Unlink("/file"))));

  cluster.Kill("meta");
  cluster.world().RunFor(seconds(1));
  cluster.Start("meta");
  cluster.world().RunFor(seconds(20));  // reclaiming has had its chance
  const Result<std::string> read = cluster.Do(one.Pread(*fd, 0, 300'000));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, bytes);
  ASSERT_TRUE(IsOk(cluster.Do(one.Pwrite(*fd, 300'000, "more"))));
  ASSERT_TRUE(IsOk(cluster.Do(one.Fsync(*fd))));
  const Result<FileAttr> attr = cluster.Do(one.Fstat(*fd));
  ASSERT_TRUE(IsOk(attr));
  EXPECT_EQ(attr->nlink, 0u);
  EXPECT_EQ(attr->size, 300'004u);

  ASSERT_TRUE(IsOk(cluster.Do(one.Close(*fd))));
  EXPECT_TRUE(NothingRemains(cluster, empty));
}

TEST(OpenFilesTest, DeletedFilesLeaveNothingOnTheChunkservers) {
  SimCluster cluster({.seed = 42});
  PosixCalls client(cluster, "client1");
  const std::uint64_t empty = InodesNow(cluster);
  for (int i = 0; i < 20; ++i) {
    const std::string path = "/file" + std::to_string(i);
    ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably(path, Pattern(200 * kKiB, static_cast<std::uint64_t>(i))))));
  }
  cluster.world().RunFor(seconds(5));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(IsOk(cluster.Do(client.Unlink("/file" + std::to_string(i)))));
  ASSERT_TRUE(NothingRemains(cluster, empty));
  EXPECT_TRUE(cluster.WaitForStatus([](const proto::AdminStatusReply& status) {
    std::uint64_t chunks = 0;
    for (const proto::ServerEntry& server : status.servers()) chunks += server.chunks();
    return chunks == 0;
  }));
  // The space goes back to the host.
  cluster.world().RunFor(minutes(1));
  for (const std::string& name : cluster.chunkservers()) {
    EXPECT_LT(cluster.platter(name).used_bytes(), 2 * kMiB) << name;
  }
}

TEST(OpenFilesTest, DeletionsReachServersThatWereAway) {
  SimCluster cluster({.seed = 43});
  PosixCalls client(cluster, "client1");
  const std::uint64_t empty = InodesNow(cluster);
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/file", Pattern(200 * kKiB, 1)))));
  cluster.Kill("chunk2");
  ASSERT_TRUE(IsOk(cluster.Do(client.Unlink("/file"))));
  cluster.world().RunFor(seconds(30));
  const Result<proto::AdminStatusReply> status = cluster.Do(cluster.Status());
  ASSERT_TRUE(IsOk(status));
  EXPECT_GT(status->garbage_chunks(), 0u);
  cluster.Kill("meta");
  cluster.Start("meta");
  cluster.Start("chunk2");
  EXPECT_TRUE(NothingRemains(cluster, empty));
}

TEST(OpenFilesTest, SilentSessionExpiresAndItsFilesGo) {
  SimCluster cluster({.seed = 44, .clients = 2, .session_expiry = minutes(1)});
  PosixCalls one(cluster, "client1");
  PosixCalls two(cluster, "client2");
  const std::uint64_t empty = InodesNow(cluster);
  ASSERT_TRUE(IsOk(cluster.Do(one.WriteFile("/file", Pattern(10'000, 1)))));
  ASSERT_TRUE(IsOk(cluster.Do(one.Open("/file", O_RDWR))));
  ASSERT_TRUE(IsOk(cluster.Do(two.Unlink("/file"))));
  EXPECT_EQ(InodesNow(cluster), empty + 1);
  cluster.LosePower("client1");
  cluster.world().RunFor(seconds(30));
  EXPECT_EQ(InodesNow(cluster), empty + 1) << "a session is not given up that soon";
  EXPECT_TRUE(NothingRemains(cluster, empty));
}

TEST(OpenFilesTest, CutOfAMinuteIsAPause) {
  SimCluster cluster({.seed = 45, .clients = 2});
  PosixCalls one(cluster, "client1");
  PosixCalls two(cluster, "client2");
  ASSERT_TRUE(IsOk(cluster.Do(one.WriteFileDurably("/file", "before"))));
  const Result<Fd> fd = cluster.Do(one.Open("/file", O_RDWR));
  ASSERT_TRUE(IsOk(fd));
  cluster.network().Cut("client1", "meta");
  ASSERT_TRUE(IsOk(cluster.Do(two.Unlink("/file"))));
  auto written = cluster.Begin(one.Pwrite(*fd, 0, "during"));
  cluster.world().RunFor(minutes(1));
  cluster.network().MendAll();
  ASSERT_TRUE(IsOk(cluster.Await(written)));
  ASSERT_TRUE(IsOk(cluster.Do(one.Fsync(*fd))));
  const Result<std::string> read = cluster.Do(one.Pread(*fd, 0, 100));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, "during");
  ASSERT_TRUE(IsOk(cluster.Do(one.Close(*fd))));
}

TEST(OpenFilesTest, ExpiredClientGoesOnWithANewSession) {
  SimCluster cluster({.seed = 46, .session_expiry = seconds(30)});
  PosixCalls client(cluster, "client1");
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFileDurably("/file", "before"))));
  const Result<Fd> fd = cluster.Do(client.Open("/file", O_RDWR));
  ASSERT_TRUE(IsOk(fd));
  cluster.network().Cut("client1", "meta");
  cluster.world().RunFor(minutes(2));
  cluster.network().MendAll();
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFile("/after", "after"))));
  // The file has its name still, so nobody lost anything.
  ASSERT_TRUE(IsOk(cluster.Do(client.Pwrite(*fd, 0, "AFTER!"))));
  ASSERT_TRUE(IsOk(cluster.Do(client.Close(*fd))));
  const Result<std::string> read = cluster.Do(client.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, "AFTER!");
}

TEST(OpenFilesTest, GentleStopFlushesAndLeavesNoSession) {
  SimCluster cluster({.seed = 47, .clients = 2});
  PosixCalls one(cluster, "client1");
  PosixCalls two(cluster, "client2");
  const Result<Fd> fd = cluster.Do(one.Open("/file", O_CREAT | O_RDWR));
  ASSERT_TRUE(IsOk(fd));
  ASSERT_TRUE(IsOk(cluster.Do(one.Pwrite(*fd, 0, "gathered"))));
  cluster.world().RunUntilDone(cluster.StopGently("client1"));
  const Result<std::string> read = cluster.Do(two.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, "gathered");
  const Result<proto::AdminStatusReply> status = cluster.Do(cluster.Status());
  ASSERT_TRUE(IsOk(status));
  EXPECT_EQ(status->sessions(), 1u);
}

}  // namespace
}  // namespace gabion
