// An administrator evicts clients that are there: who waited goes on, and nothing is given away before its time.
#include <fcntl.h>

#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::seconds;

class EvictionTest : public testing::Test {
 protected:
  /// A lease that was renewed a third of its time ago lasts for the other two.
  static constexpr Duration kLeastLeft = seconds(6);
  /// It lapses, the chunkservers confirm, and one pass of the metaserver's is missed.
  static constexpr Duration kEvictedAfter = seconds(14);

  EvictionTest() {
    EXPECT_TRUE(IsOk(cluster_.Do(one_.WriteFileDurably("/file", "before"))));
    EXPECT_TRUE(IsOk(cluster_.Do(one_.WriteFileDurably("/other", "stored"))));
    fd_ = OpenBy(one_, "/file", O_RDWR);
    other_fd_ = OpenBy(one_, "/other", O_RDWR);
  }

  Fd OpenBy(PosixCalls& client, const std::string& path, int flags) {
    const Result<Fd> fd = cluster_.Do(client.Open(path, flags));
    EXPECT_TRUE(IsOk(fd));
    return fd ? *fd : Fd();
  }
  /// It is there, and cannot bring its data home.
  void CutOneOffTheChunkservers() {
    for (const std::string& name : cluster_.chunkservers()) cluster_.network().Cut("client1", name);
  }
  std::uint64_t SessionOf(const std::string& client) {
    proto::ClientListRequest request;
    request.set_volume(SimCluster::kVolume);
    const auto listed = cluster_.Do(cluster_.CallMeta<proto::ClientListReply>(proto::METHOD_CLIENT_LIST, request));
    EXPECT_TRUE(IsOk(listed));
    for (const proto::ClientEntry& entry : listed->clients()) {
      if (entry.host() == client) return entry.session_id();
    }
    ADD_FAILURE() << "no session of " << client;
    return 0;
  }
  proto::ClientShowReply Show(std::uint64_t session) {
    proto::ClientShowRequest request;
    request.set_session_id(session);
    const auto shown = cluster_.Do(cluster_.CallMeta<proto::ClientShowReply>(proto::METHOD_CLIENT_SHOW, request));
    EXPECT_TRUE(IsOk(shown));
    return shown ? *shown : proto::ClientShowReply();
  }
  void Evict(std::uint64_t session) {
    proto::ClientEvictRequest request;
    request.set_session_id(session);
    ASSERT_TRUE(IsOk(cluster_.Do(cluster_.CallMeta<proto::ClientEvictReply>(proto::METHOD_CLIENT_EVICT, request))));
  }
  /// As `gabion client evict`.
  void EvictAndWait(std::uint64_t session) {
    Evict(session);
    const Duration begin = cluster_.world().elapsed();
    while (Show(session).client().state() == proto::CLIENT_EVICTING) {
      ASSERT_LT(cluster_.world().elapsed() - begin, kEvictedAfter);
      cluster_.world().RunFor(seconds(1));
    }
  }

  SimCluster cluster_{{.seed = 63, .clients = 2}};
  PosixCalls one_{cluster_, "client1"};
  PosixCalls two_{cluster_, "client2"};
  Fd fd_, other_fd_;
};

TEST_F(EvictionTest, AClientThatCannotBringItsDataHomeKeepsOthersWaitingUntilItIsEvicted) {
  const std::uint64_t session = SessionOf("client1");
  CutOneOffTheChunkservers();
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  const auto read = cluster_.Begin(two_.ReadFile("/file"));
  cluster_.world().RunFor(seconds(40));
  EXPECT_FALSE(read->has_value()) << "it is there, and has what it needs to wait for";
  proto::ClientShowReply shown = Show(session);
  EXPECT_EQ(shown.client().state(), proto::CLIENT_ACTIVE);
  EXPECT_EQ(shown.dirty_bytes(), 6u);
  ASSERT_EQ(shown.oldest_recalls_size(), 1);
  EXPECT_EQ(shown.oldest_recalls(0).ino(), fd_.ino.value());
  EXPECT_TRUE(shown.oldest_recalls(0).write());
  EXPECT_GE(shown.oldest_recalls(0).asked_ms(), 39'000u);

  const Duration begin = cluster_.world().elapsed();
  Evict(session);
  const Result<std::string> seen = cluster_.Await(read);
  ASSERT_TRUE(IsOk(seen));
  EXPECT_EQ(*seen, "before");
  EXPECT_GE(cluster_.world().elapsed() - begin, kLeastLeft) << "not while the client may believe that it has its lease";
  EXPECT_LE(cluster_.world().elapsed() - begin, kEvictedAfter);

  ASSERT_TRUE(IsOk(cluster_.Do(two_.WriteFileDurably("/file", "theirs"))));
  cluster_.network().MendAll();
  cluster_.world().RunFor(seconds(5));
  EXPECT_EQ(NameOf(cluster_.Do(one_.Fsync(fd_))), "IO");
  EXPECT_TRUE(IsOk(cluster_.Do(one_.Fsync(fd_)))) << "it is told once";
  EXPECT_TRUE(IsOk(cluster_.Do(one_.Fsync(other_fd_)))) << "nothing of that file was lost";
  EXPECT_EQ(*cluster_.Do(two_.ReadFile("/file")), "theirs");
  // Everything new works, through the same handle.
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "after!"))));
  EXPECT_TRUE(IsOk(cluster_.Do(one_.Fsync(fd_))));
  EXPECT_EQ(*cluster_.Do(two_.ReadFile("/file")), "after!");
  shown = Show(session);
  EXPECT_EQ(shown.client().state(), proto::CLIENT_ACTIVE);
  EXPECT_EQ(shown.evictions(), 1u);
}

TEST_F(EvictionTest, OneThatIsWellLosesNothingThatItHadStored) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  cluster_.world().RunFor(seconds(2));
  EvictAndWait(SessionOf("client1"));
  EXPECT_TRUE(IsOk(cluster_.Do(one_.Fsync(fd_))));
  EXPECT_EQ(*cluster_.Do(two_.ReadFile("/file")), "during");
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "after!"))));
  EXPECT_TRUE(IsOk(cluster_.Do(one_.Fsync(fd_))));
  EXPECT_EQ(*cluster_.Do(two_.ReadFile("/file")), "after!");
}

TEST_F(EvictionTest, WhatItSendsUnderItsOldNumberIsRefused) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  // What it sends to the chunkservers is under way until it is unblocked.
  for (const std::string& name : cluster_.chunkservers()) cluster_.network().Block("client1", name);
  const auto synced = cluster_.Begin(one_.Fsync(fd_));
  EvictAndWait(SessionOf("client1"));
  const Fd theirs = OpenBy(two_, "/file", O_WRONLY);
  ASSERT_TRUE(IsOk(cluster_.Do(two_.Pwrite(theirs, 0, "theirs"))));
  ASSERT_TRUE(IsOk(cluster_.Do(two_.Fsync(theirs))));
  for (const std::string& name : cluster_.chunkservers()) cluster_.network().Unblock("client1", name);
  EXPECT_EQ(NameOf(cluster_.Await(synced)), "IO");
  EXPECT_EQ(*cluster_.Do(two_.ReadFile("/file")), "theirs");
}

TEST_F(EvictionTest, ARestartOfTheMetaserverDoesNotForgetIt) {
  const std::uint64_t session = SessionOf("client1");
  CutOneOffTheChunkservers();
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(fd_, 0, "during"))));
  Evict(session);
  cluster_.Kill("meta");
  cluster_.Start("meta");
  const Result<std::string> seen = cluster_.Do(two_.ReadFile("/file"));
  ASSERT_TRUE(IsOk(seen));
  EXPECT_EQ(*seen, "before");
  cluster_.network().MendAll();
  EXPECT_EQ(NameOf(cluster_.Do(one_.Fsync(fd_))), "IO");
}

TEST_F(EvictionTest, ItsLocksAreForThoseWhoWait) {
  constexpr std::uint64_t kLast = RangeLock::kLastByte;
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Lock(other_fd_, 0, kLast, true, false))));
  const Fd theirs = OpenBy(two_, "/other", O_RDWR);
  const auto locked = cluster_.Begin(two_.Lock(theirs, 0, kLast, true, true));
  cluster_.world().RunFor(seconds(30));
  EXPECT_FALSE(locked->has_value());
  EXPECT_EQ(Show(SessionOf("client1")).locks(), 1u);
  EXPECT_EQ(Show(SessionOf("client2")).lock_waits(), 1u);
  EvictAndWait(SessionOf("client1"));
  EXPECT_TRUE(IsOk(cluster_.Await(locked, seconds(2))));
  cluster_.world().RunFor(seconds(5));
  EXPECT_EQ(NameOf(cluster_.Do(one_.Pread(other_fd_, 0, 6))), "IO") << "who was locked out has to know";
  EXPECT_EQ(*cluster_.Do(one_.ReadFile("/other")), "stored");
}

}  // namespace
}  // namespace gabion
