// Exactly-once execution, restarts and power losses.
#include "metaserver/volume/volume.h"

#include <fcntl.h>

#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

class VolumeTest : public testing::Test {
 protected:
  ~VolumeTest() override { bench_.ExpectConsistent(); }

  Result<proto::UnlinkReply> UnlinkAs(std::uint64_t seq, const std::string& name, const Caller& who = kRoot) {
    proto::UnlinkRequest request;
    request.set_parent(kRootIno.value());
    request.set_name(name);
    return client_.Call<OpKind::kMutation>(&op::Unlink, request, who, seq);
  }

  MetaBench bench_;
  MetaClient client_{bench_};
};

TEST_F(VolumeTest, ARepeatedOpIsAnsweredNotExecuted) {
  client_.HoldAcknowledgements();
  const proto::CreateRequest request = client_.NewInode(kRootIno, "a", S_IFREG | 0644);
  Result<proto::CreateReply> first = client_.Create(request);
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(first->has_note());
  first->clear_note();  // leases are granted once
  const std::uint64_t seq = client_.last_seq();
  const Result<proto::CreateReply> second = client_.Call<OpKind::kMutation>(&op::Create, request, kRoot, seq);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->SerializeAsString(), first->SerializeAsString());

  ASSERT_TRUE(client_.Unlink(kRootIno, "a").has_value());
  client_.File(kRootIno, "a");
  EXPECT_TRUE(UnlinkAs(seq + 1, "a").has_value());
  EXPECT_TRUE(client_.Lookup(kRootIno, "a").has_value()) << "the new file was unlinked by an old request";
}

TEST_F(VolumeTest, ARepeatedFailureFailsAgain) {
  client_.HoldAcknowledgements();
  EXPECT_EQ(CodeOf(client_.Unlink(kRootIno, "a")), ErrorCode::kNotFound);
  const std::uint64_t seq = client_.last_seq();
  client_.File(kRootIno, "a");
  EXPECT_EQ(CodeOf(UnlinkAs(seq, "a")), ErrorCode::kNotFound);
}

TEST_F(VolumeTest, ReplaysAcrossARestart) {
  client_.HoldAcknowledgements();
  const proto::CreateRequest request = client_.NewInode(kRootIno, "a", S_IFREG | 0644);
  const Result<proto::CreateReply> first = client_.Create(request);
  const std::uint64_t seq = client_.last_seq();
  ASSERT_TRUE(client_.Unlink(kRootIno, "a").has_value());
  bench_.Restart();
  ASSERT_TRUE(client_.Resume({}).has_value());
  const Result<proto::CreateReply> second = client_.Call<OpKind::kMutation>(&op::Create, request, kRoot, seq);
  ASSERT_TRUE(second.has_value());
  proto::CreateReply stored = *first;
  stored.clear_note();  // leases are granted once
  EXPECT_EQ(second->SerializeAsString(), stored.SerializeAsString());
  EXPECT_EQ(CodeOf(client_.Lookup(kRootIno, "a")), ErrorCode::kNotFound);
  client_.File(kRootIno, "b");
}

TEST_F(VolumeTest, AReplayedOpenIsOpenAgain) {
  const Ino file = client_.File(kRootIno, "a");
  client_.HoldAcknowledgements();
  proto::CreateRequest request = client_.NewInode(kRootIno, "a", S_IFREG | 0644);
  request.set_handle_id(7);
  request.set_truncate(true);
  ASSERT_TRUE(client_.Create(request).has_value());
  const std::uint64_t seq = client_.last_seq();
  bench_.Restart();
  // The client never heard which file it opened, so that it cannot name it.
  ASSERT_TRUE(client_.Resume({{7, Ino(request.ino())}}).has_value());
  ASSERT_TRUE(client_.Call<OpKind::kMutation>(&op::Create, request, kRoot, seq).has_value());
  ASSERT_TRUE(client_.Unlink(kRootIno, "a").has_value());
  EXPECT_TRUE(client_.GetAttr(file).has_value());
  ASSERT_TRUE(client_.Release({7}).has_value());
  EXPECT_EQ(CodeOf(client_.GetAttr(file)), ErrorCode::kStale);
}

TEST_F(VolumeTest, ADeniedOpComesBackWithGroups) {
  const Ino shared = client_.Directory(kRootIno, "shared", kRoot, 0770);
  ASSERT_TRUE(client_.Chown(shared, 0, 77).has_value());
  const proto::CreateRequest request = client_.NewInode(shared, "a", S_IFREG | 0644);
  client_.HoldAcknowledgements();
  EXPECT_EQ(CodeOf(client_.Create(request, kAlice)), ErrorCode::kPermissionDenied);
  const Caller with_groups{kAlice.uid, kAlice.gid, {77}};
  EXPECT_TRUE(client_.Call<OpKind::kMutation>(&op::Create, request, with_groups, client_.last_seq()).has_value());
}

TEST_F(VolumeTest, AcknowledgedRepliesAreForgotten) {
  for (int i = 0; i < 50; ++i) client_.File(kRootIno, "a" + std::to_string(i));
  EXPECT_LE(bench_.CountRecords(Table::kOpReply), 2u);
  EXPECT_EQ(CodeOf(UnlinkAs(1, "a1")), ErrorCode::kInvalidArgument) << "executed although it was acknowledged";
  EXPECT_TRUE(client_.Lookup(kRootIno, "a1").has_value());
}

TEST_F(VolumeTest, AMutationNeedsANumberAndASession) {
  client_.File(kRootIno, "a");
  proto::UnlinkRequest request;
  request.set_parent(kRootIno.value());
  request.set_name("a");
  request.mutable_op()->set_session_id(client_.id().value());
  auto run = [&] {
    Volume::Op unlink = [&](Txn& txn, OpContext& context) -> Result<std::string> {
      TRY_ASSIGN(const proto::UnlinkReply reply, op::Unlink(txn, request, context));
      return reply.SerializeAsString();
    };
    return CodeOf(
        bench_.Do(bench_.volume()->Mutate(request.op(), {}, std::move(unlink), Volume::kNever, bench_.env())));
  };
  EXPECT_EQ(run(), ErrorCode::kInvalidArgument);
  request.mutable_op()->set_session_id(12345);
  request.mutable_op()->set_seq(1);
  EXPECT_EQ(run(), ErrorCode::kSessionExpired);
}

TEST_F(VolumeTest, AFailedCommitChangesNothing) {
  const Ino file = client_.File(kRootIno, "a");
  bench_.kv().contents().FailApply(true);
  EXPECT_EQ(CodeOf(client_.Open(file, 1, O_RDWR | O_TRUNC)), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(client_.Unlink(kRootIno, "a")), ErrorCode::kUnavailable);
  const std::uint64_t seq = client_.last_seq();
  bench_.kv().contents().FailApply(false);
  bench_.volume()->WithState([&](VolumeState& state) {
    EXPECT_FALSE(state.sessions.IsOpen(file));
    EXPECT_EQ(state.stats.inodes(), 2u);
  });
  EXPECT_TRUE(UnlinkAs(seq, "a").has_value()) << "the same op, tried again";
}

TEST_F(VolumeTest, WhatASyncCoversSurvivesAPowerLoss) {
  for (std::uint64_t round = 0; round < 10; ++round) {
    const std::string name = "synced" + std::to_string(round);
    const Ino file = client_.File(kRootIno, name);
    proto::OpHeader header;
    header.set_session_id(client_.id().value());
    ASSERT_TRUE(bench_.Do(bench_.volume()->Sync(header, bench_.env())).has_value());
    ASSERT_TRUE(client_.Unlink(kRootIno, name).has_value());
    bench_.LosePower();
    EXPECT_TRUE(client_.Resume({}).has_value()) << "a session is durable before its client hears of it";
    const Result<proto::LookupReply> found = client_.Lookup(kRootIno, name);
    if (found) {
      EXPECT_EQ(found->attr().ino(), file.value());
    }
    bench_.ExpectConsistent();
    client_.File(kRootIno, "after" + std::to_string(round));
  }
}

TEST_F(VolumeTest, OpenUnlinkedFilesSurviveARestart) {
  MetaClient other(bench_);
  const Ino kept = client_.File(kRootIno, "kept");
  const Ino dropped = client_.File(kRootIno, "dropped");
  ASSERT_TRUE(client_.Open(kept, 1, O_RDWR).has_value());
  ASSERT_TRUE(client_.Open(dropped, 2, O_RDWR).has_value());
  ASSERT_TRUE(client_.Unlink(kRootIno, "kept").has_value());
  ASSERT_TRUE(client_.Unlink(kRootIno, "dropped").has_value());
  bench_.Restart();
  bench_.RunDuties();
  EXPECT_TRUE(other.GetAttr(kept).has_value()) << "removed before its client could say that it is open";
  EXPECT_TRUE(client_.CommitWrite(kept, 10).has_value()) << "even before the client resumed";
  ASSERT_TRUE(client_.Resume({{1, kept}}).has_value());
  bench_.RunDuties();
  EXPECT_TRUE(other.GetAttr(dropped).has_value()) << "another session has yet to resume";
  ASSERT_TRUE(other.Resume({}).has_value());
  bench_.RunDuties();
  EXPECT_EQ(CodeOf(other.GetAttr(dropped)), ErrorCode::kStale);
  EXPECT_TRUE(other.GetAttr(kept).has_value());
  ASSERT_TRUE(client_.Release({1}).has_value());
  EXPECT_EQ(CodeOf(other.GetAttr(kept)), ErrorCode::kStale);
}

TEST_F(VolumeTest, AFileThatLosesItsNameDuringTheGraceIsKept) {
  MetaClient other(bench_);
  const Ino file = client_.File(kRootIno, "a");
  ASSERT_TRUE(client_.Open(file, 1, O_RDWR).has_value());
  bench_.Restart();
  ASSERT_TRUE(other.Resume({}).has_value());
  ASSERT_TRUE(other.Unlink(kRootIno, "a").has_value());
  const Result<proto::OpenSessionReply> resumed = client_.Resume({{1, file}});
  ASSERT_TRUE(resumed.has_value());
  EXPECT_TRUE(resumed->lost_handles().empty());
  EXPECT_TRUE(client_.GetAttr(file).has_value());
}

TEST_F(VolumeTest, RefusesAStoreItCannotRead) {
  for (const auto& [value, expected] :
       {std::pair(std::string("\x09"), ErrorCode::kVersionMismatch), std::pair(std::string(), ErrorCode::kCorrupt)}) {
    MetaBench broken;
    WriteBatch batch;
    batch.Put(VolumeStateKey(broken.volume()->id()), value);
    ASSERT_TRUE(broken.kv().Apply(batch).has_value());
    VolumeTable volumes(broken.kv(), broken.cluster(), std::chrono::seconds(10));
    EXPECT_EQ(CodeOf(broken.Do(volumes.Load(broken.env()))), expected);
  }
}

}  // namespace
}  // namespace gabion
