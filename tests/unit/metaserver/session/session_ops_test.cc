#include "metaserver/session/session_ops.h"

#include <fcntl.h>

#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

class SessionOpsTest : public testing::Test {
 protected:
  Result<proto::OpenSessionReply> Open(const proto::OpenSessionRequest& request) {
    return bench_.Do(bench_.sessions().Open(request, bench_.env()));
  }
  Result<proto::OpenSessionReply> Open(const std::string& subdir = "", const std::string& volume = "home") {
    proto::OpenSessionRequest request;
    request.set_volume(volume);
    request.set_subdir(subdir);
    return Open(request);
  }
  Result<proto::DelegateIdsReply> Delegate(std::uint64_t session, std::uint64_t inos, std::uint64_t chunks) {
    proto::DelegateIdsRequest request;
    request.set_session_id(session);
    request.set_volume_id(bench_.volume()->id().value());
    request.set_inos(inos);
    request.set_chunk_ids(chunks);
    return bench_.Do(bench_.sessions().DelegateIds(request, bench_.env()));
  }
  /// They have been silent as well.
  void LoseServers() { ASSERT_TRUE(bench_.Do(bench_.cluster().ExpireLeases(bench_.env())).has_value()); }
  ErrorCode Renew(std::uint64_t session) {
    proto::RenewSessionRequest request;
    request.set_session_id(session);
    request.set_volume_id(bench_.volume()->id().value());
    return CodeOf(bench_.Do(bench_.sessions().Renew(request, bench_.env())));
  }

  MetaBench bench_;
};

TEST_F(SessionOpsTest, OpensWithEverythingAClientNeeds) {
  const Result<proto::OpenSessionReply> reply = Open();
  ASSERT_TRUE(reply.has_value());
  EXPECT_NE(reply->session_id(), 0u);
  EXPECT_EQ(reply->root_ino(), kRootIno.value());
  EXPECT_EQ(reply->ttl_ms(), 10'000u);
  EXPECT_EQ(reply->map().servers_size(), 3);
  EXPECT_EQ(reply->map().pgs_size(), 64);
  EXPECT_GT(reply->inos().count(), 0u);
  EXPECT_GT(reply->chunk_ids().count(), 0u);
  EXPECT_EQ(CodeOf(Open("", "none")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(Open(std::string(5000, 'x'))), ErrorCode::kInvalidArgument);
}

TEST_F(SessionOpsTest, MountsASubdirectory) {
  MetaClient client(bench_);
  const Ino below = client.Directory(client.Directory(kRootIno, "a"), "b");
  client.File(kRootIno, "file");
  ASSERT_TRUE(client.Create(client.NewInode(kRootIno, "link", S_IFLNK)).has_value());
  EXPECT_EQ(Open("a/b")->root_ino(), below.value());
  EXPECT_EQ(Open("/a//b/")->root_ino(), below.value());
  EXPECT_EQ(CodeOf(Open("a/c")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(Open("file")), ErrorCode::kNotDirectory);
  EXPECT_EQ(CodeOf(Open("link")), ErrorCode::kNotDirectory);
  EXPECT_EQ(CodeOf(Open("a/../a")), ErrorCode::kInvalidArgument);
}

TEST_F(SessionOpsTest, NoIdIsDelegatedTwice) {
  std::set<std::uint64_t> inos, chunks;
  auto take = [&](const proto::IdRange& range, std::set<std::uint64_t>& taken) {
    ASSERT_GT(range.count(), 0u);
    auto next = taken.lower_bound(range.first());
    EXPECT_TRUE(next == taken.end() || *next >= range.first() + range.count());
    EXPECT_TRUE(taken.insert(range.first()).second);
    EXPECT_TRUE(taken.insert(range.first() + range.count() - 1).second);
  };
  for (int round = 0; round < 6; ++round) {
    const Result<proto::OpenSessionReply> opened = Open();
    ASSERT_TRUE(opened.has_value());
    take(opened->inos(), inos);
    take(opened->chunk_ids(), chunks);
    const Result<proto::DelegateIdsReply> more = Delegate(opened->session_id(), 1000, 50);
    ASSERT_TRUE(more.has_value());
    take(more->inos(), inos);
    take(more->chunk_ids(), chunks);
    if (round % 2 == 0) {
      bench_.LosePower();  // what a client was given stays given
    } else {
      bench_.Restart();
    }
  }
}

TEST_F(SessionOpsTest, ADelegationIsBounded) {
  const std::uint64_t session = Open()->session_id();
  const Result<proto::DelegateIdsReply> reply = Delegate(session, UINT64_MAX, 0);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->inos().count(), 1u << 20);
  EXPECT_FALSE(reply->has_chunk_ids());
  EXPECT_EQ(CodeOf(Delegate(12345, 1, 1)), ErrorCode::kSessionExpired);
}

TEST_F(SessionOpsTest, DelegatedIdsAreGoodAfterARestart) {
  MetaClient client(bench_);
  bench_.Restart();
  ASSERT_TRUE(client.Resume({}).has_value());
  client.File(kRootIno, "a");
}

TEST_F(SessionOpsTest, ResumingNamesWhatIsLost) {
  MetaClient client(bench_);
  const Ino file = client.File(kRootIno, "a");
  bench_.Restart();
  const Result<proto::OpenSessionReply> reply =
      client.Resume({{1, file}, {2, Ino(999'999)}, {3, file}, {3, file}, {3, kRootIno}, {0, file}});
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->session_id(), client.id().value());
  EXPECT_THAT(reply->lost_handles(), testing::UnorderedElementsAre(2u, 3u, 0u));
  bench_.volume()->WithState([&](VolumeState& state) { EXPECT_EQ(state.sessions.OpenCount(file), 2u); });
  EXPECT_TRUE(client.Resume({{1, file}, {3, file}})->lost_handles().empty()) << "it is harmless to repeat";
  bench_.volume()->WithState([&](VolumeState& state) { EXPECT_EQ(state.sessions.OpenCount(file), 2u); });
}

TEST_F(SessionOpsTest, ANewSessionTakesOverTheHandlesOfAnExpiredOne) {
  MetaClient client(bench_);
  const Ino file = client.File(kRootIno, "a");
  proto::OpenSessionRequest request;
  request.set_volume("home");
  for (const auto& [handle, ino] : {std::pair<std::uint64_t, Ino>(1, file), {2, Ino(999'999)}}) {
    proto::OpenHandle* open = request.add_reclaim();
    open->set_handle_id(handle);
    open->set_ino(ino.value());
  }
  const Result<proto::OpenSessionReply> reply = Open(request);
  ASSERT_TRUE(reply.has_value());
  EXPECT_THAT(reply->lost_handles(), testing::ElementsAre(2u));
  bench_.volume()->WithState([&](VolumeState& state) { EXPECT_EQ(state.sessions.OpenCount(file), 1u); });
}

TEST_F(SessionOpsTest, SilenceExpiresASessionAndItsFilesGo) {
  MetaClient silent(bench_);
  MetaClient alive(bench_);
  const Ino file = silent.File(kRootIno, "a");
  ASSERT_TRUE(silent.Open(file, 1, O_RDWR).has_value());
  ASSERT_TRUE(alive.Unlink(kRootIno, "a").has_value());
  bench_.world().RunFor(bench_.options().session_ttl * 3);
  bench_.RunDuties();
  EXPECT_TRUE(silent.GetAttr(file).has_value()) << "a lapsed session loses nothing that nobody wants";
  EXPECT_EQ(Renew(alive.id().value()), ErrorCode::kOk);
  bench_.world().RunFor(bench_.options().session_expiry - bench_.options().session_ttl);
  EXPECT_EQ(Renew(alive.id().value()), ErrorCode::kOk);
  bench_.world().RunFor(bench_.options().session_ttl * 2);
  LoseServers();
  bench_.RunDuties();
  EXPECT_EQ(CodeOf(silent.GetAttr(file)), ErrorCode::kSessionExpired);
  EXPECT_EQ(Renew(silent.id().value()), ErrorCode::kSessionExpired);
  EXPECT_EQ(CodeOf(silent.Resume({{1, file}})), ErrorCode::kSessionExpired);
  EXPECT_EQ(CodeOf(alive.GetAttr(file)), ErrorCode::kStale);
  EXPECT_EQ(bench_.CountRecords(Table::kSession), 1u);
  bench_.Restart();
  EXPECT_EQ(CodeOf(silent.Resume({})), ErrorCode::kSessionExpired);
  EXPECT_TRUE(alive.Resume({}).has_value());
}

TEST_F(SessionOpsTest, ASessionThatNeverResumesDoesNotHoldTheGraceForEver) {
  MetaClient gone(bench_);
  MetaClient alive(bench_);
  const Ino file = alive.File(kRootIno, "a");
  bench_.Restart();
  ASSERT_TRUE(alive.Resume({}).has_value());
  ASSERT_TRUE(alive.Unlink(kRootIno, "a").has_value());
  bench_.world().RunFor(bench_.options().session_expiry - std::chrono::seconds(1));
  EXPECT_EQ(Renew(alive.id().value()), ErrorCode::kOk);
  bench_.RunDuties();
  EXPECT_TRUE(alive.GetAttr(file).has_value());
  bench_.world().RunFor(std::chrono::seconds(2));
  LoseServers();
  bench_.RunDuties();
  EXPECT_EQ(CodeOf(alive.GetAttr(file)), ErrorCode::kStale);
}

TEST_F(SessionOpsTest, WhoComesBackIsToldWhetherUnsyncedChangesMayBeLost) {
  MetaClient client(bench_);
  const auto losses = [&] {
    const Result<proto::OpenSessionReply> resumed = client.Resume({});
    EXPECT_TRUE(resumed.has_value());
    return resumed ? resumed->power_losses() : 0;
  };
  const std::uint64_t before = losses();
  bench_.Restart();
  EXPECT_EQ(losses(), before);
  bench_.LosePower();
  EXPECT_EQ(losses(), before + 1);
  ASSERT_TRUE(bench_.Do(bench_.cluster().EndCleanly()).has_value());
  bench_.LosePower();
  EXPECT_EQ(losses(), before + 1);
  bench_.LosePower();
  EXPECT_EQ(losses(), before + 2);
}

TEST_F(SessionOpsTest, AnEvictionIsCountedAndTold) {
  MetaClient client(bench_);
  bench_.world().RunFor(bench_.options().session_ttl);
  LoseServers();
  const Result<bool> evicted = bench_.Do(bench_.volume()->Evict(client.id(), bench_.env()));
  ASSERT_TRUE(evicted.has_value());
  EXPECT_TRUE(*evicted);
  bench_.LosePower();
  const Result<proto::OpenSessionReply> resumed = client.Resume({});
  ASSERT_TRUE(resumed.has_value());
  EXPECT_EQ(resumed->evictions(), 1u);
}

TEST_F(SessionOpsTest, WhoComesBackBeforeTheServersHaveConfirmedIsNotEvicted) {
  MetaClient client(bench_);
  bench_.world().RunFor(bench_.options().session_ttl);
  std::optional<bool> evicted;
  TaskGroup tasks;
  auto evict = [](MetaBench& bench, SessionId id, std::optional<bool>& outcome) -> Task<void> {
    const std::shared_ptr<Volume> volume = bench.volume();
    Result<bool> result = co_await volume->Evict(id, bench.env());
    outcome = result.has_value() && *result;
  };
  tasks.Spawn(bench_.env().executor, evict(bench_, client.id(), evicted));
  bench_.world().RunFor(std::chrono::milliseconds(100));
  EXPECT_FALSE(evicted.has_value());
  const Result<proto::OpenSessionReply> resumed = client.Resume({});
  ASSERT_TRUE(resumed.has_value());
  EXPECT_EQ(resumed->evictions(), 1u) << "what it sent before is refused all the same";
  bench_.world().RunFor(bench_.options().server_lease);
  LoseServers();
  bench_.world().RunFor(std::chrono::milliseconds(100));
  EXPECT_EQ(evicted, false);
}

TEST_F(SessionOpsTest, ClosingIsRepeatableAndClosesFiles) {
  MetaClient client(bench_);
  MetaClient other(bench_);
  const Ino file = client.File(kRootIno, "a");
  ASSERT_TRUE(client.Open(file, 1, O_RDWR).has_value());
  ASSERT_TRUE(client.Unlink(kRootIno, "a").has_value());
  proto::CloseSessionRequest request;
  request.set_session_id(client.id().value());
  request.set_volume_id(bench_.volume()->id().value());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(bench_.Do(bench_.sessions().Close(request, bench_.env())).has_value());
  bench_.RunDuties();
  EXPECT_EQ(CodeOf(other.GetAttr(file)), ErrorCode::kStale);
  EXPECT_EQ(bench_.CountRecords(Table::kSession), 1u);
  EXPECT_EQ(bench_.CountRecords(Table::kOpReply), 0u);
}

}  // namespace
}  // namespace gabion
