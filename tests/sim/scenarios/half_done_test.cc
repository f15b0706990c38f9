// A write that some copies have and others do not, and whose writer goes away. Who began to read before it may see it
// or not; but what one has seen, others see afterwards.
#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class HalfDoneTest : public testing::Test {
 protected:
  HalfDoneTest() {
    EXPECT_TRUE(IsOk(cluster_.Do(writer_.WriteFileDurably("/file", "before"))));
    const Result<Fd> written = cluster_.Do(writer_.Open("/file", O_RDWR));
    EXPECT_TRUE(IsOk(written));
    written_ = *written;
    const Result<Fd> read = cluster_.Do(reader_.Open("/file", O_RDONLY));
    EXPECT_TRUE(IsOk(read));
    read_ = *read;
    OrderServers();
    cluster_.world().RunFor(seconds(30));  // until the chunk is settled everywhere, and leases are given again
    EXPECT_TRUE(IsOk(cluster_.Do(reader_.Fstat(read_))));
  }

  proto::PgStatus Group() {
    const auto groups =
        cluster_.Do(cluster_.CallMeta<proto::PgListReply>(proto::METHOD_PG_LIST, proto::PgListRequest()));
    EXPECT_TRUE(IsOk(groups));
    return groups ? groups->pgs(0) : proto::PgStatus();
  }
  static std::string NameOfServer(std::uint32_t id) { return "chunk" + std::to_string(id); }
  /// In the order in which a reader asks them: the primary first.
  void OrderServers() {
    const proto::PgStatus group = Group();
    servers_.push_back(NameOfServer(group.primary()));
    for (const proto::PgMemberEntry& member : group.members()) {
      if (member.server_id() != group.primary()) servers_.push_back(NameOfServer(member.server_id()));
    }
    ASSERT_EQ(servers_.size(), 3u);
  }

  /// It knows the size, so it asks the chunkservers at once, which do not hear it before LetReadReach.
  void BeginRead() {
    for (const std::string& server : servers_) cluster_.network().Block(reader_.client(), server);
    reading_ = cluster_.Begin(reader_.Pread(read_, 0, 100));
    cluster_.world().RunFor(milliseconds(10));
  }
  void LetReadReach(const std::string& server) { cluster_.network().Unblock(reader_.client(), server); }
  /// The reader gives its lease back, and waits for what it has asked for.
  void BeginWrite() {
    ASSERT_TRUE(IsOk(cluster_.Do(writer_.Pwrite(written_, 0, "during"))));
    syncing_ = cluster_.Begin(writer_.Fsync(written_));
    cluster_.world().RunFor(milliseconds(100));
    EXPECT_FALSE(syncing_->has_value());
    EXPECT_FALSE(reading_->has_value());
  }
  void CutOffWriter() {
    for (const std::string& name : cluster_.names()) {
      if (name != writer_.client()) cluster_.network().Cut(writer_.client(), name);
    }
  }
  /// Of the reader's answer, if it has one by now.
  void ExpectSeenStays() {
    const std::optional<Result<std::string>> seen = *reading_;
    const Result<std::string> now = cluster_.Do(other_.ReadFile("/file"));
    ASSERT_TRUE(IsOk(now));
    if (seen) {
      ASSERT_TRUE(IsOk(*seen));
      EXPECT_EQ(**seen, *now);
    }
    cluster_.network().MendAll();
    EXPECT_TRUE(IsOk(cluster_.Await(reading_)));
    EXPECT_EQ(NameOf(cluster_.Await(syncing_)), "IO");
  }

  SimCluster cluster_{{.seed = 71, .clients = 3, .pgs_per_policy = 1}};
  PosixCalls writer_{cluster_, "client1"};
  PosixCalls reader_{cluster_, "client2"};
  PosixCalls other_{cluster_, "client3"};
  Fd written_, read_;
  std::vector<std::string> servers_;
  std::shared_ptr<std::optional<Result<std::string>>> reading_;
  std::shared_ptr<std::optional<Result<void>>> syncing_;
};

TEST_F(HalfDoneTest, ThePrimaryDoesNotShowWhatNobodyElseHas) {
  for (const std::string& server : servers_) {
    if (server != servers_[0]) cluster_.network().Block(servers_[0], server);
  }
  BeginRead();
  BeginWrite();
  LetReadReach(servers_[0]);
  cluster_.world().RunFor(milliseconds(100));
  CutOffWriter();
  cluster_.Kill(servers_[0]);
  ExpectSeenStays();
}

TEST_F(HalfDoneTest, AMemberDoesNotShowWhatAnotherLacks) {
  cluster_.network().Block(servers_[0], servers_[2]);
  BeginRead();
  BeginWrite();
  LetReadReach(servers_[1]);
  cluster_.world().RunFor(milliseconds(1000));
  CutOffWriter();
  cluster_.Kill(servers_[0]);
  cluster_.Kill(servers_[1]);
  ExpectSeenStays();
}

TEST_F(HalfDoneTest, ANewPrimaryShowsNothingBeforeItsMembersAreEqual) {
  const auto [heir, last] = std::minmax(servers_[1], servers_[2]);
  cluster_.network().Block(servers_[0], last);
  cluster_.network().Cut(heir, last);
  BeginRead();
  BeginWrite();
  CutOffWriter();
  cluster_.Kill(servers_[0]);
  while (NameOfServer(Group().primary()) == servers_[0]) cluster_.world().RunFor(milliseconds(10));
  ASSERT_EQ(NameOfServer(Group().primary()), heir);
  LetReadReach(heir);
  cluster_.world().RunUntil([&] { return reading_->has_value(); }, seconds(1));
  cluster_.Kill(heir);
  ExpectSeenStays();
}

}  // namespace
}  // namespace gabion
