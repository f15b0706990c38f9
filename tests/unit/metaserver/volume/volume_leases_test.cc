// Who waits for whose leases, and what becomes of them when a session lapses.
#include <fcntl.h>
#include <gmock/gmock.h>

#include <utility>

#include "metaserver/volume/volume.h"
#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

using std::chrono::seconds;

class VolumeLeasesTest : public testing::Test {
 protected:
  VolumeLeasesTest() {
    proto::CreateRequest request = writer_.NewInode(kRootIno, "file", S_IFREG | 0644);
    request.set_handle_id(writer_.NextHandle());
    request.set_want_write_lease(true);
    const Result<proto::CreateReply> made = writer_.Create(request);
    EXPECT_TRUE(made.has_value());
    EXPECT_TRUE(made->attr().write_leased());
    file_ = Ino(made->attr().ino());
  }

  SessionId WriterOf(Ino ino) {
    return bench_.volume()->WithState([ino](VolumeState& state) { return state.leases.Writer(ino); });
  }
  void DropLeasesOf(MetaClient& client) {
    bench_.volume()->WithState([&](VolumeState& state) { state.leases.Drop(client.id()); });
  }
  /// The chunkservers are silent as well: none has to confirm anything.
  void LetLapse() {
    bench_.world().RunFor(bench_.options().session_ttl);
    EXPECT_TRUE(bench_.Do(bench_.cluster().ExpireLeases(bench_.env())).has_value());
  }
  ErrorCode CommitUnderLease(std::uint64_t era, std::uint64_t resumed_at) {
    proto::CommitWriteRequest request;
    request.set_ino(file_.value());
    request.set_end_bytes(100);
    request.set_under_lease(true);
    request.set_era(era);
    request.set_resumed_at(resumed_at);
    return CodeOf(writer_.Call<OpKind::kMutation>(&op::CommitWrite, request));
  }
  /// Of the session as it is now.
  std::pair<std::uint64_t, std::uint64_t> EraAndNumber() {
    return bench_.volume()->WithState([&](VolumeState& state) {
      return std::pair(state.leases.era(), state.sessions.Find(writer_.id())->resumed_at);
    });
  }
  bool IsKept(std::uint64_t version_before) {
    proto::OpenSessionRequest request;
    request.set_session_id(writer_.id().value());
    request.set_volume("home");
    proto::WrittenFile* file = request.add_reclaim_writes();
    file->set_ino(file_.value());
    file->set_version_before(version_before);
    const Result<proto::OpenSessionReply> reply = bench_.Do(bench_.sessions().Open(request, bench_.env()));
    EXPECT_TRUE(reply.has_value());
    return reply && reply->kept_writes_size() == 1;
  }
  bool IsGrantedAtOpen(MetaClient& client) {
    proto::OpenRequest request;
    request.set_ino(file_.value());
    request.set_handle_id(client.NextHandle());
    request.set_flags(O_RDWR);
    request.set_want_write_lease(true);
    const Result<proto::OpenReply> opened = client.Call<OpKind::kHandle>(&op::Open, request);
    return opened.has_value() && opened->attr().write_leased();
  }
  proto::RenewSessionReply Renew(MetaClient& client, std::uint64_t resumed_at = 0) {
    proto::RenewSessionRequest request;
    request.set_volume_id(bench_.volume()->id().value());
    request.set_session_id(client.id().value());
    request.set_resumed_at(resumed_at);
    const Result<proto::RenewSessionReply> reply = bench_.Do(bench_.sessions().Renew(request, bench_.env()));
    EXPECT_TRUE(reply.has_value());
    return reply ? *reply : proto::RenewSessionReply();
  }

  MetaBench bench_{{.leases_last = true}};
  MetaClient writer_{bench_};
  MetaClient other_{bench_};
  Ino file_;
};

TEST_F(VolumeLeasesTest, AnOpThatHasWaitedInVainHasDoneNothing) {
  EXPECT_EQ(CodeOf(other_.GetAttr(file_)), ErrorCode::kHeld);
  EXPECT_EQ(CodeOf(other_.Unlink(kRootIno, "file")), ErrorCode::kHeld);
  EXPECT_TRUE(writer_.Lookup(kRootIno, "file").has_value());
}

TEST_F(VolumeLeasesTest, EvictingTheHolderWaitsForNobodyAndShowsThatTheContentMayHaveChanged) {
  const std::uint64_t version = writer_.AttrOf(file_).data_version();
  LetLapse();
  EXPECT_EQ(CodeOf(other_.GetAttr(file_)), ErrorCode::kHeld);
  const Result<bool> evicted = bench_.Do(bench_.volume()->Evict(writer_.id(), bench_.env()));
  ASSERT_TRUE(evicted.has_value());
  EXPECT_TRUE(*evicted);
  EXPECT_GT(other_.AttrOf(file_).data_version(), version);
}

TEST_F(VolumeLeasesTest, ASessionThatIsThereIsNotEvicted) {
  LetLapse();
  Renew(writer_);
  const Result<bool> evicted = bench_.Do(bench_.volume()->Evict(writer_.id(), bench_.env()));
  ASSERT_TRUE(evicted.has_value());
  EXPECT_FALSE(*evicted);
  EXPECT_EQ(WriterOf(file_), writer_.id());
}

TEST_F(VolumeLeasesTest, NothingIsGivenToWhoWouldLoseItToALossThatIsStillWrittenDown) {
  LetLapse();
  ASSERT_TRUE(bench_.Do(bench_.volume()->Evict(writer_.id(), bench_.env())).has_value());
  EXPECT_FALSE(IsGrantedAtOpen(writer_)) << "it does not know of its loss";
  const Result<proto::OpenSessionReply> resumed = writer_.Resume({});
  ASSERT_TRUE(resumed.has_value());
  EXPECT_FALSE(IsGrantedAtOpen(writer_)) << "it may not have heard the answer";
  Renew(writer_, resumed->note().number());
  EXPECT_THAT(bench_.volume()->FindHeardLosses(), testing::ElementsAre(writer_.id()));
  ASSERT_TRUE(bench_.Do(bench_.volume()->ForgetLoss(writer_.id(), bench_.env())).has_value());
  EXPECT_THAT(bench_.volume()->FindHeardLosses(), testing::IsEmpty());
  EXPECT_TRUE(IsGrantedAtOpen(writer_));
  bench_.LosePower();
  bench_.volume()->WithState([&](VolumeState& state) { EXPECT_FALSE(state.sessions.Find(writer_.id())->evicted); });
}

TEST_F(VolumeLeasesTest, WhoDoesNotReturnAReadLeaseLosesNoneOfItsWriteLeases) {
  const Ino read = writer_.File(kRootIno, "read");
  ASSERT_TRUE(writer_.GetAttr(read).has_value());
  EXPECT_EQ(CodeOf(other_.Chmod(read, 0600)), ErrorCode::kHeld);  // and so it is recalled
  const Duration third = bench_.options().session_ttl / 3;
  bool overdue = false;
  bool lapsed = false;
  for (int i = 0; i < 8; ++i) {
    bench_.world().RunFor(third);
    const proto::RenewSessionReply reply = Renew(writer_);
    overdue |= reply.reads_overdue();
    lapsed |= reply.lapsed();
    EXPECT_FALSE(reply.must_resume());
  }
  EXPECT_TRUE(overdue);
  EXPECT_TRUE(lapsed) << "its read leases have";
  EXPECT_TRUE(other_.Chmod(read, 0600).has_value());
  EXPECT_EQ(WriterOf(file_), writer_.id());
}

TEST_F(VolumeLeasesTest, ACommitFromBeforeTheSessionWasResumedIsRefused) {
  const auto [era, number] = EraAndNumber();
  EXPECT_EQ(CommitUnderLease(era, number), ErrorCode::kOk);
  EXPECT_EQ(CommitUnderLease(era + 1, number), ErrorCode::kResumed);
  ASSERT_TRUE(writer_.Resume({}, {file_}).has_value());
  EXPECT_EQ(WriterOf(file_), writer_.id());
  EXPECT_EQ(CommitUnderLease(era, number), ErrorCode::kResumed) << "it may have lost the lease, and got another";
  EXPECT_EQ(CommitUnderLease(era, EraAndNumber().second), ErrorCode::kOk);
}

TEST_F(VolumeLeasesTest, ALeaseThatACommitWasGivingBackIsKeptIfThatWasNotDone) {
  const std::uint64_t version = writer_.AttrOf(file_).data_version();
  bench_.Restart();
  EXPECT_TRUE(IsKept(version));
  ASSERT_TRUE(writer_.CommitWrite(file_, 100).has_value());
  bench_.Restart();
  EXPECT_FALSE(IsKept(version)) << "another may have it by now";
  EXPECT_EQ(WriterOf(file_), SessionId());
}

TEST_F(VolumeLeasesTest, InGraceAWriterThatHasClaimedItsLeaseGoesOn) {
  bench_.Restart();
  EXPECT_EQ(CodeOf(writer_.CommitWrite(file_, 100)), ErrorCode::kHeld);
  ASSERT_TRUE(writer_.Resume({}, {file_}).has_value());
  EXPECT_TRUE(writer_.CommitWrite(file_, 100).has_value()) << "the other session has not come back yet";
  EXPECT_EQ(CodeOf(writer_.Unlink(kRootIno, "file")), ErrorCode::kHeld);
  LetLapse();
  Renew(writer_);
  ASSERT_TRUE(bench_.Do(bench_.volume()->Evict(other_.id(), bench_.env())).has_value());
  bench_.volume()->TendLeases(bench_.env().clock.Now());
  EXPECT_TRUE(writer_.Unlink(kRootIno, "file").has_value());
}

TEST_F(VolumeLeasesTest, ARemovalTellsTheHandlesOfWhatNobodyElseHasOpen) {
  const std::uint64_t handle = writer_.NextHandle();
  ASSERT_TRUE(writer_.Open(file_, handle, O_RDONLY).has_value());
  const Result<proto::UnlinkReply> reply = writer_.Unlink(kRootIno, "file");
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(reply->unused());
  EXPECT_EQ(reply->open_handles_size(), 2);
  EXPECT_EQ(reply->open_handles(1), handle);
}

TEST_F(VolumeLeasesTest, ARemovalOfWhatAnotherHasOpenSaysSo) {
  DropLeasesOf(writer_);
  const Ino shared = other_.File(kRootIno, "shared");
  ASSERT_TRUE(other_.Open(shared, other_.NextHandle(), O_RDONLY).has_value());
  const Result<proto::UnlinkReply> reply = other_.Unlink(kRootIno, "shared");
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(reply->unused());
  const Ino open = other_.File(kRootIno, "open");
  ASSERT_TRUE(writer_.Open(open, writer_.NextHandle(), O_RDONLY).has_value());
  DropLeasesOf(writer_);
  const Result<proto::UnlinkReply> used = other_.Unlink(kRootIno, "open");
  ASSERT_TRUE(used.has_value());
  EXPECT_FALSE(used->unused());
}

}  // namespace
}  // namespace gabion
