// Write leases: what a client has written is there for whoever looks, though it is still with the client; and what
// becomes of it if the client cannot be reached.
#include <fcntl.h>

#include "common/base/byte_units.h"
#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class WriteLeasesTest : public testing::Test {
 protected:
  explicit WriteLeasesTest(SimClusterOptions options = {.seed = 61, .clients = 2}) : cluster_(options) {
    EXPECT_TRUE(IsOk(cluster_.Do(one_.WriteFileDurably("/file", "before"))));
    const Result<Fd> fd = cluster_.Do(one_.Open("/file", O_RDWR));
    EXPECT_TRUE(IsOk(fd));
    fd_ = *fd;
  }

  std::string Read(PosixCalls& client) {
    const Result<std::string> read = cluster_.Do(client.ReadFile("/file"));
    EXPECT_TRUE(IsOk(read));
    return read ? *read : std::string();
  }
  void CutOffOne() {
    for (const std::string& name : cluster_.names()) {
      if (name != "client1") cluster_.network().Cut("client1", name);
    }
  }
  /// In place: a file that is cut gets another chunk.
  void OverwriteByTwo(const std::string& text) {
    const Result<Fd> fd = cluster_.Do(two_.Open("/file", O_WRONLY));
    ASSERT_TRUE(IsOk(fd));
    ASSERT_TRUE(IsOk(cluster_.Do(two_.Pwrite(*fd, 0, text))));
    ASSERT_TRUE(IsOk(cluster_.Do(two_.Fsync(*fd))));
  }
  /// What client1 sends to the chunkservers from now on is under way until UnblockOne, or for 15 s.
  void BlockOne() {
    for (const std::string& name : cluster_.chunkservers()) cluster_.network().Block("client1", name);
  }
  void UnblockOne() {
    for (const std::string& name : cluster_.chunkservers()) cluster_.network().Unblock("client1", name);
  }
  void RestartMetaserver() {
    cluster_.Kill("meta");
    cluster_.world().RunFor(seconds(1));
    cluster_.Start("meta");
  }

  SimCluster cluster_;
  PosixCalls one_{cluster_, "client1"};
  PosixCalls two_{cluster_, "client2"};
  Fd fd_;
};

TEST_F(WriteLeasesTest, WhatIsGatheredIsThereForWhoLooks) {
  for (const std::string text : {"first", "longer than that", "x"}) {
    ASSERT_TRUE(IsOk(cluster_.Do(one_.Ftruncate(fd_, 0))));
    ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, text))));
    const Result<FileAttr> attr = cluster_.Do(two_.Stat("/file"));
    ASSERT_TRUE(IsOk(attr));
    EXPECT_EQ(attr->size, text.size());
    EXPECT_EQ(Read(two_), text);
  }
}

TEST_F(WriteLeasesTest, TwoThatAppendThroughOpenFilesLoseNothing) {
  const Result<Fd> one = cluster_.Do(one_.Open("/file", O_WRONLY | O_APPEND));
  const Result<Fd> two = cluster_.Do(two_.Open("/file", O_WRONLY | O_APPEND));
  ASSERT_TRUE(IsOk(one));
  ASSERT_TRUE(IsOk(two));
  std::string expected = "before";
  for (int i = 0; i < 30; ++i) {
    const std::string record = std::to_string(i) + ";";
    ASSERT_TRUE(IsOk(cluster_.Do(i % 2 == 0 ? one_.Pwrite(*one, 0, record) : two_.Pwrite(*two, 0, record))));
    expected += record;
  }
  EXPECT_EQ(Read(one_), expected);
  EXPECT_EQ(Read(two_), expected);
}

TEST_F(WriteLeasesTest, ACutThatNobodyMindsCostsNothing) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  CutOffOne();
  cluster_.world().RunFor(minutes(1));
  cluster_.network().MendAll();
  EXPECT_TRUE(IsOk(cluster_.Do(one_.Fsync(fd_))));
  EXPECT_EQ(Read(two_), "during");
}

TEST_F(WriteLeasesTest, WhatOthersWantedMeanwhileIsLostAndSaidToBe) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  CutOffOne();
  const Duration begin = cluster_.world().elapsed();
  EXPECT_EQ(Read(two_), "before");
  EXPECT_GE(cluster_.world().elapsed() - begin, seconds(9)) << "not before its session has lapsed";
  EXPECT_LE(cluster_.world().elapsed() - begin, seconds(13));
  cluster_.world().RunFor(seconds(10));
  cluster_.network().MendAll();
  EXPECT_EQ(NameOf(cluster_.Do(one_.Fsync(fd_))), "IO");
  EXPECT_EQ(Read(two_), "before");
  // Everything new works, through the same handle.
  EXPECT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "after!"))));
  EXPECT_TRUE(IsOk(cluster_.Do(one_.Fsync(fd_))));
  EXPECT_EQ(Read(two_), "after!");
}

TEST_F(WriteLeasesTest, ALossIsNotForgottenWhenTheMetaserverIsRestarted) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  CutOffOne();
  EXPECT_EQ(Read(two_), "before");
  RestartMetaserver();
  for (const std::string& name : cluster_.chunkservers()) cluster_.network().ResetConnections("client1", name);
  cluster_.network().MendAll();
  EXPECT_EQ(NameOf(cluster_.Do(one_.Fsync(fd_))), "IO");
  EXPECT_EQ(Read(two_), "before");
}

TEST_F(WriteLeasesTest, WhoLooksAfterARestartOfTheMetaserverWaitsForTheWriter) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  RestartMetaserver();
  EXPECT_EQ(Read(two_), "during");
}

TEST_F(WriteLeasesTest, AWriterThatDoesNotComeBackAfterARestartHoldsUpNobodyForLong) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  CutOffOne();
  RestartMetaserver();
  const Duration begin = cluster_.world().elapsed();
  EXPECT_EQ(Read(two_), "before");
  EXPECT_LE(cluster_.world().elapsed() - begin, seconds(14));
  cluster_.network().MendAll();
  EXPECT_EQ(NameOf(cluster_.Do(one_.Fsync(fd_))), "IO");
}

TEST_F(WriteLeasesTest, WhoOnlyLostTheMetaserverSendsNothingThatMayNotBeItsAnyMore) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  cluster_.network().Cut("client1", "meta");  // it reaches the chunkservers still
  const std::string seen = Read(two_);
  EXPECT_TRUE(seen == "before" || seen == "during") << seen;
  EXPECT_EQ(Read(two_), seen);
  ASSERT_TRUE(IsOk(cluster_.Do(two_.WriteFileDurably("/file", "theirs"))));
  cluster_.world().RunFor(minutes(1));
  EXPECT_EQ(Read(two_), "theirs");
  cluster_.network().MendAll();
  EXPECT_EQ(NameOf(cluster_.Do(one_.Fsync(fd_))), "IO");
  EXPECT_EQ(Read(two_), "theirs");
  EXPECT_EQ(Read(one_), "theirs");
}

TEST_F(WriteLeasesTest, WhatWasUnderWayWhenTheSessionWasEvictedIsNotWritten) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  BlockOne();
  const auto synced = cluster_.Begin(one_.Fsync(fd_));
  cluster_.network().Cut("client1", "meta");
  EXPECT_EQ(Read(two_), "before");
  OverwriteByTwo("theirs");
  UnblockOne();
  cluster_.world().RunFor(seconds(1));
  EXPECT_EQ(Read(two_), "theirs");
  cluster_.network().MendAll();
  EXPECT_EQ(NameOf(cluster_.Await(synced)), "IO");
  EXPECT_EQ(Read(two_), "theirs");
}

TEST_F(WriteLeasesTest, WhatArrivedBeforeItsWriterWasEvictedIsThereForWhoHadReadAhead) {
  const std::size_t size = kMiB;
  ASSERT_TRUE(IsOk(cluster_.Do(one_.WriteFileDurably("/long", std::string(size, 'x')))));
  const Result<Fd> reading = cluster_.Do(two_.Open("/long", O_RDONLY));
  const Result<Fd> writing = cluster_.Do(one_.Open("/long", O_WRONLY));
  ASSERT_TRUE(IsOk(reading));
  ASSERT_TRUE(IsOk(writing));
  const std::uint32_t block = 4 * kKiB;
  for (std::uint64_t i = 0; i < 2; ++i) ASSERT_TRUE(IsOk(cluster_.Do(two_.Pread(*reading, i * block, block))));
  cluster_.world().RunFor(seconds(1));
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(*writing, 2 * block, std::string(block, 'y')))));
  cluster_.network().Cut("client1", "meta");
  cluster_.world().RunFor(seconds(3));  // it is old enough to be sent, and cannot be committed
  const Result<std::string> seen = cluster_.Do(two_.Pread(*reading, 2 * block, block));
  ASSERT_TRUE(IsOk(seen));
  const Result<std::string> all = cluster_.Do(two_.ReadFile("/long"));
  ASSERT_TRUE(IsOk(all));
  EXPECT_EQ(all->substr(2 * block, block), std::string(block, 'y'));
  EXPECT_EQ(*seen, std::string(block, 'y'));
}

/// One copy: with more, some member notices that others are away, and nothing of that epoch is taken any more.
class WriteLeasesOfOneServerTest : public WriteLeasesTest {
 protected:
  WriteLeasesOfOneServerTest() : WriteLeasesTest({.seed = 62, .chunkservers = 1, .clients = 2, .replicas = 1}) {}
};

TEST_F(WriteLeasesOfOneServerTest, WhatWasUnderWayWhileItWasAwayIsNotWritten) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  BlockOne();
  const auto synced = cluster_.Begin(one_.Fsync(fd_));
  cluster_.network().Cut("client1", "meta");
  cluster_.network().Cut("chunk1", "meta");
  const auto read = cluster_.Begin(two_.ReadFile("/file"));
  cluster_.world().RunFor(seconds(12));
  cluster_.network().Mend("chunk1", "meta");
  const Result<std::string> seen = cluster_.Await(read);
  ASSERT_TRUE(IsOk(seen));
  EXPECT_EQ(*seen, "before");
  OverwriteByTwo("theirs");
  UnblockOne();
  cluster_.world().RunFor(seconds(1));
  EXPECT_EQ(Read(two_), "theirs");
  cluster_.network().MendAll();
  EXPECT_EQ(NameOf(cluster_.Await(synced)), "IO");
  EXPECT_EQ(Read(two_), "theirs");
}

/// The server that comes back does not know that the session was evicted; it is for the client to be silent.
TEST_F(WriteLeasesOfOneServerTest, WhoReachesAServerThatWasAwaySendsNothingThatIsNotItsAnyMore) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  CutOffOne();
  cluster_.network().Cut("chunk1", "meta");
  const auto read = cluster_.Begin(two_.ReadFile("/file"));
  cluster_.world().RunFor(seconds(12));
  cluster_.network().Mend("chunk1", "meta");
  ASSERT_TRUE(IsOk(cluster_.Await(read)));
  OverwriteByTwo("theirs");
  cluster_.network().Mend("client1", "chunk1");
  cluster_.world().RunFor(minutes(1));
  EXPECT_EQ(Read(two_), "theirs");
  cluster_.network().MendAll();
  EXPECT_EQ(NameOf(cluster_.Do(one_.Fsync(fd_))), "IO");
  EXPECT_EQ(Read(two_), "theirs");
}

}  // namespace
}  // namespace gabion
