#include "metaserver/admin/client_ops.h"

#include <fcntl.h>

#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

class ClientOpsTest : public testing::Test {
 protected:
  ClientOpsTest() {
    proto::CreateRequest request = writer_.NewInode(kRootIno, "file", S_IFREG | 0644);
    request.set_handle_id(writer_.NextHandle());
    request.set_want_write_lease(true);
    const Result<proto::CreateReply> made = writer_.Create(request);
    EXPECT_TRUE(made.has_value() && made->attr().write_leased());
    file_ = Ino(made->attr().ino());
  }

  ClientOps Ops() { return ClientOps(bench_.volumes(), bench_.options()); }
  Result<proto::ClientListReply> List(proto::ClientListRequest request = {}) {
    return Ops().List(request, bench_.env());
  }
  Result<proto::ClientShowReply> Show(SessionId session) {
    proto::ClientShowRequest request;
    request.set_session_id(session.value());
    return Ops().Show(request, bench_.env());
  }
  proto::ClientState StateOf(const MetaClient& client) {
    const Result<proto::ClientShowReply> shown = Show(client.id());
    EXPECT_TRUE(shown.has_value());
    return shown->client().state();
  }
  Result<proto::ClientEvictReply> Evict(SessionId session) {
    proto::ClientEvictRequest request;
    request.set_session_id(session.value());
    ClientOps ops = Ops();
    return bench_.Do(ops.Evict(request, bench_.env()));
  }
  proto::RenewSessionReply Renew(MetaClient& client, std::optional<std::uint64_t> dirty_bytes = std::nullopt) {
    proto::RenewSessionRequest request;
    request.set_volume_id(bench_.volume()->id().value());
    request.set_session_id(client.id().value());
    if (dirty_bytes) request.set_dirty_bytes(*dirty_bytes);
    const Result<proto::RenewSessionReply> reply = bench_.Do(bench_.sessions().Renew(request, bench_.env()));
    EXPECT_TRUE(reply.has_value());
    return reply ? *reply : proto::RenewSessionReply();
  }
  /// As the server does by itself. The chunkservers are silent: none has to confirm anything.
  void EvictWhoHasLapsed() {
    EXPECT_TRUE(bench_.Do(bench_.cluster().ExpireLeases(bench_.env())).has_value());
    for (SessionId session : bench_.volume()->FindLapsedHolders(bench_.env().clock.Now()))
      EXPECT_TRUE(bench_.Do(bench_.volume()->Evict(session, bench_.env())).has_value());
  }
  SessionId WriterOf(Ino ino) {
    return bench_.volume()->WithState([ino](VolumeState& state) { return state.leases.Writer(ino); });
  }
  /// Clients are there, and renew their sessions.
  void RunFor(Duration time, const std::vector<MetaClient*>& there) {
    for (Duration passed{0}; passed < time; passed += seconds(1)) {
      bench_.world().RunFor(seconds(1));
      for (MetaClient* client : there) Renew(*client);
      EvictWhoHasLapsed();
    }
  }

  MetaBench bench_{{.leases_last = true}};
  MetaClient writer_{bench_};
  MetaClient other_{bench_};
  Ino file_;
};

TEST_F(ClientOpsTest, ListsTheSessionsOfAVolumeOrOfAll) {
  ASSERT_TRUE(bench_.Do(bench_.volumes().Create("second", 1, bench_.env())).has_value());
  proto::OpenSessionRequest open;
  open.set_volume("second");
  open.set_host("far");
  open.set_mountpoint("/mnt/second");
  open.set_software("gabion 9");
  open.set_read_only(true);
  ASSERT_TRUE(bench_.Do(bench_.sessions().Open(open, bench_.env())).has_value());
  EXPECT_EQ(List()->clients_size(), 3);
  proto::ClientListRequest request;
  request.set_volume("second");
  const Result<proto::ClientListReply> listed = List(request);
  ASSERT_TRUE(listed.has_value());
  ASSERT_EQ(listed->clients_size(), 1);
  const proto::ClientEntry& client = listed->clients(0);
  EXPECT_EQ(client.volume(), "second");
  EXPECT_EQ(client.host(), "far");
  EXPECT_EQ(client.mountpoint(), "/mnt/second");
  EXPECT_EQ(client.software(), "gabion 9");
  EXPECT_TRUE(client.read_only());
  EXPECT_EQ(client.state(), proto::CLIENT_ACTIVE);
  request.set_volume("none");
  EXPECT_EQ(CodeOf(List(request)), ErrorCode::kNotFound);
}

TEST_F(ClientOpsTest, PagesGoOnBehindTheLastOne) {
  ASSERT_TRUE(bench_.Do(bench_.volumes().Create("second", 1, bench_.env())).has_value());
  proto::OpenSessionRequest open;
  open.set_volume("second");
  std::vector<std::uint64_t> expected = {writer_.id().value(), other_.id().value()};
  for (int i = 0; i < 2; ++i) expected.push_back(bench_.Do(bench_.sessions().Open(open, bench_.env()))->session_id());
  std::vector<std::uint64_t> sessions;
  proto::ClientListRequest request;
  request.set_max_clients(1);
  bool more = true;
  while (more) {
    const Result<proto::ClientListReply> page = List(request);
    ASSERT_TRUE(page.has_value());
    ASSERT_EQ(page->clients_size(), 1);
    sessions.push_back(page->clients(0).session_id());
    request.set_after_volume_id(page->clients(0).volume_id());
    request.set_after_session_id(page->clients(0).session_id());
    more = page->more();
    ASSERT_LE(sessions.size(), expected.size());
  }
  EXPECT_EQ(sessions, expected);
}

TEST_F(ClientOpsTest, APageFitsAFrame) {
  proto::OpenSessionRequest open;
  open.set_volume("home");
  open.set_host(std::string(4096, 'h'));
  open.set_mountpoint(std::string(4096, 'm'));
  open.set_software(std::string(4096, 's'));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(bench_.Do(bench_.sessions().Open(open, bench_.env())).has_value());
  const Result<proto::ClientListReply> page = List();
  ASSERT_TRUE(page.has_value());
  EXPECT_TRUE(page->more());
  EXPECT_GT(page->clients_size(), 10);
  EXPECT_LT(page->ByteSizeLong(), kMaxHeaderBytes);
}

TEST_F(ClientOpsTest, ShowsWhatASessionHoldsAndHasToReturn) {
  EXPECT_EQ(CodeOf(Show(SessionId(999))), ErrorCode::kNotFound);
  const Ino read = writer_.File(kRootIno, "read");
  ASSERT_TRUE(writer_.GetAttr(read).has_value());
  const std::uint64_t leases = Show(writer_.id())->client().leases();
  EXPECT_EQ(CodeOf(other_.GetAttr(file_)), ErrorCode::kHeld);  // and so it is recalled
  bench_.world().RunFor(seconds(2));
  EXPECT_EQ(CodeOf(other_.Chmod(read, 0600)), ErrorCode::kHeld);
  bench_.world().RunFor(seconds(1));
  const Result<proto::ClientShowReply> shown = Show(writer_.id());
  ASSERT_TRUE(shown.has_value());
  EXPECT_EQ(shown->client().open_handles(), 1u);
  EXPECT_EQ(shown->client().leases(), leases);
  EXPECT_EQ(shown->write_leases(), 1u);
  EXPECT_EQ(shown->read_leases(), leases - 1);
  EXPECT_EQ(shown->client().recalls(), 2u);
  EXPECT_GE(shown->client().recall_ms(), 3000u);
  ASSERT_EQ(shown->oldest_recalls_size(), 2);
  EXPECT_EQ(shown->oldest_recalls(0).ino(), file_.value());
  EXPECT_TRUE(shown->oldest_recalls(0).write());
  EXPECT_EQ(shown->oldest_recalls(1).ino(), read.value());
  EXPECT_FALSE(shown->oldest_recalls(1).write());
  EXPECT_LT(shown->oldest_recalls(1).asked_ms(), shown->oldest_recalls(0).asked_ms());
  EXPECT_EQ(shown->recalls_total(), 2u);
  EXPECT_EQ(shown->evictions(), 0u);
}

TEST_F(ClientOpsTest, ShowsWhatTheClientSaidIsDirty) {
  EXPECT_FALSE(Show(writer_.id())->has_dirty_bytes());
  Renew(writer_, 12345);
  EXPECT_EQ(Show(writer_.id())->dirty_bytes(), 12345u);
  Renew(writer_, 0);
  EXPECT_TRUE(Show(writer_.id())->has_dirty_bytes());
  EXPECT_EQ(Show(writer_.id())->dirty_bytes(), 0u);
}

TEST_F(ClientOpsTest, ASilentOneIsToldFromOneThatHasToComeBack) {
  EXPECT_EQ(StateOf(writer_), proto::CLIENT_ACTIVE);
  bench_.world().RunFor(bench_.options().session_ttl);
  EXPECT_EQ(StateOf(writer_), proto::CLIENT_SILENT);
  EXPECT_EQ(Show(writer_.id())->client().renewed_ms() / 1000, 10u);
  Renew(writer_);
  EXPECT_EQ(StateOf(writer_), proto::CLIENT_ACTIVE);
  bench_.Restart();
  EXPECT_EQ(StateOf(writer_), proto::CLIENT_RESUMING);
}

TEST_F(ClientOpsTest, AnEvictedClientThatIsThereKeepsWhatItHoldsForAsLongAsItMayBelieveSo) {
  bench_.world().RunFor(seconds(5));
  Renew(writer_);
  const TimePoint renewed = bench_.env().clock.Now();
  EXPECT_EQ(CodeOf(Evict(SessionId(999))), ErrorCode::kNotFound);
  ASSERT_TRUE(Evict(writer_.id()).has_value());
  EXPECT_EQ(StateOf(writer_), proto::CLIENT_EVICTING);
  EXPECT_TRUE(Renew(writer_).must_resume());
  EXPECT_EQ(CodeOf(writer_.Resume({}, {file_})), ErrorCode::kUnavailable) << "it would begin anew";
  while (WriterOf(file_) == writer_.id()) {
    ASSERT_LT(bench_.env().clock.Now(), renewed + seconds(15));
    RunFor(seconds(1), {&writer_, &other_});
  }
  EXPECT_GE(bench_.env().clock.Now(), renewed + bench_.options().session_ttl);
  EXPECT_EQ(StateOf(writer_), proto::CLIENT_EVICTED);
  EXPECT_EQ(Show(writer_.id())->client().leases(), 0u);
  EXPECT_TRUE(other_.GetAttr(file_).has_value());
  const Result<proto::OpenSessionReply> resumed = writer_.Resume({}, {file_});
  ASSERT_TRUE(resumed.has_value());
  EXPECT_THAT(resumed->lost_writes(), ElementsAre(file_.value()));
  EXPECT_EQ(resumed->evictions(), 1u);
  EXPECT_EQ(StateOf(writer_), proto::CLIENT_ACTIVE);
  RunFor(seconds(12), {&writer_, &other_});
  EXPECT_EQ(Show(writer_.id())->evictions(), 1u) << "once is enough";
  EXPECT_EQ(StateOf(other_), proto::CLIENT_ACTIVE);
}

TEST_F(ClientOpsTest, AReadLeaseOfAnEvictedClientIsInTheWayForThatLongAsWell) {
  const Ino read = writer_.File(kRootIno, "read");
  ASSERT_TRUE(writer_.GetAttr(read).has_value());
  Renew(writer_);
  ASSERT_TRUE(Evict(writer_.id()).has_value());
  RunFor(seconds(9), {&writer_, &other_});
  EXPECT_EQ(CodeOf(other_.Chmod(read, 0600)), ErrorCode::kHeld);
  RunFor(seconds(2), {&writer_, &other_});
  EXPECT_TRUE(other_.Chmod(read, 0600).has_value());
}

TEST_F(ClientOpsTest, ARestartDoesNotForgetWhoIsToBeEvicted) {
  ASSERT_TRUE(Evict(writer_.id()).has_value());
  bench_.LosePower();
  EXPECT_EQ(StateOf(writer_), proto::CLIENT_EVICTING);
  EXPECT_EQ(CodeOf(writer_.Resume({}, {file_})), ErrorCode::kUnavailable);
  ASSERT_TRUE(other_.Resume({}).has_value());
  RunFor(seconds(11), {&writer_, &other_});
  EXPECT_EQ(StateOf(writer_), proto::CLIENT_EVICTED);
  bench_.LosePower();
  EXPECT_EQ(StateOf(writer_), proto::CLIENT_EVICTED) << "and not to be evicted again";
}

TEST_F(ClientOpsTest, OneThatHasNotComeBackSinceHasNothingLeftToBeTaken) {
  bench_.world().RunFor(bench_.options().session_ttl);
  Renew(other_);
  ASSERT_TRUE(Evict(writer_.id()).has_value());
  EvictWhoHasLapsed();
  EXPECT_EQ(StateOf(writer_), proto::CLIENT_EVICTED) << "it has lapsed: at once";
  const Result<proto::ClientEvictReply> again = Evict(writer_.id());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->client().state(), proto::CLIENT_EVICTED);
  EXPECT_TRUE(writer_.Resume({}).has_value());
}

}  // namespace
}  // namespace gabion
