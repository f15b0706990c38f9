// SetAttr, xattrs and the rights they need.
#include <fcntl.h>

#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

class AttributesTest : public testing::Test {
 protected:
  ~AttributesTest() override { bench_.ExpectConsistent(); }

  std::uint32_t ModeOf(Ino ino) { return client_.AttrOf(ino).mode() & 07777; }
  Ino AliceFile(const std::string& name, std::uint32_t mode) { return client_.File(kRootIno, name, kAlice, mode); }

  MetaBench bench_;
  MetaClient client_{bench_};
};

TEST_F(AttributesTest, ModeIsTheOwnersToChange) {
  const Ino file = AliceFile("a", 0644);
  EXPECT_EQ(CodeOf(client_.Chmod(file, 0600, kBob)), ErrorCode::kNotPermitted);
  ASSERT_TRUE(client_.Chmod(file, 06711, kAlice).has_value());
  EXPECT_EQ(ModeOf(file), 06711u);
  EXPECT_EQ(CodeOf(client_.Chmod(Ino(999'999), 0600)), ErrorCode::kStale);
}

TEST_F(AttributesTest, SgidTakesBeingInTheGroup) {
  const Ino file = AliceFile("a", 0755);
  ASSERT_TRUE(client_.Chown(file, kAlice.uid, 77).has_value());
  EXPECT_EQ(CodeOf(client_.Chmod(file, 02755, kAlice)), ErrorCode::kNotPermitted) << "the client names the groups then";
  ASSERT_TRUE(client_.Chmod(file, 02755, {kAlice.uid, kAlice.gid, {5}}).has_value());
  EXPECT_EQ(ModeOf(file), 0755u);
  ASSERT_TRUE(client_.Chmod(file, 02755, {kAlice.uid, kAlice.gid, {77}}).has_value());
  EXPECT_EQ(ModeOf(file), 02755u);
}

TEST_F(AttributesTest, OnlyRootGivesFilesAway) {
  const Ino file = AliceFile("a", 0644);
  EXPECT_EQ(CodeOf(client_.Chown(file, kBob.uid, {}, kAlice)), ErrorCode::kNotPermitted);
  EXPECT_EQ(CodeOf(client_.Chown(file, kAlice.uid, {}, kBob)), ErrorCode::kNotPermitted);
  EXPECT_TRUE(client_.Chown(file, kAlice.uid, {}, kAlice).has_value());
  EXPECT_EQ(CodeOf(client_.Chown(file, {}, 77, kAlice)), ErrorCode::kNotPermitted);
  EXPECT_TRUE(client_.Chown(file, {}, 77, {kAlice.uid, kAlice.gid, {77}}).has_value());
  EXPECT_EQ(client_.AttrOf(file).gid(), 77u);
  EXPECT_TRUE(client_.Chown(file, kBob.uid, kBob.gid).has_value());
  EXPECT_EQ(client_.AttrOf(file).uid(), kBob.uid);
}

TEST_F(AttributesTest, PrivilegesDoNotSurviveAnotherOwner) {
  const Ino file = AliceFile("a", 06755);
  ASSERT_TRUE(client_.SetXattr(file, "security.capability", "cap").has_value());
  ASSERT_TRUE(client_.Chown(file, kBob.uid, {}).has_value());
  EXPECT_EQ(ModeOf(file), 0755u);
  EXPECT_EQ(CodeOf(client_.GetXattr(file, "security.capability")), ErrorCode::kNoAttribute);
  const Ino locking = AliceFile("b", 02644);  // sgid without the group's x means mandatory locking
  ASSERT_TRUE(client_.Chown(locking, kBob.uid, {}).has_value());
  EXPECT_EQ(ModeOf(locking), 02644u);
  const Ino directory = client_.Directory(kRootIno, "d", kRoot, 02755);
  ASSERT_TRUE(client_.Chown(directory, kBob.uid, {}).has_value());
  EXPECT_EQ(ModeOf(directory), 02755u) << "there it is no privilege";
}

TEST_F(AttributesTest, WritesOfOthersTakePrivilegesAway) {
  const Ino file = AliceFile("a", 06777);
  ASSERT_TRUE(client_.CommitWrite(file, 10, kRoot).has_value());
  EXPECT_EQ(ModeOf(file), 06777u);
  ASSERT_TRUE(client_.CommitWrite(file, 20, kBob).has_value());
  EXPECT_EQ(ModeOf(file), 0777u);
  ASSERT_TRUE(client_.Chmod(file, 06777).has_value());
  ASSERT_TRUE(client_.Truncate(file, 0, kBob).has_value());
  EXPECT_EQ(ModeOf(file), 0777u);
  ASSERT_TRUE(client_.Chmod(file, 06755).has_value());
  proto::SetAttrRequest kill;
  kill.set_kill_suid_sgid(true);
  EXPECT_EQ(CodeOf(client_.SetAttr(kill, file, kBob)), ErrorCode::kPermissionDenied);
  EXPECT_TRUE(client_.SetAttr(kill, file, kAlice).has_value());
  EXPECT_EQ(ModeOf(file), 0755u);
}

TEST_F(AttributesTest, TimesToThePresentBelongToWritersOthersToOwners) {
  const Ino file = AliceFile("a", 0662);
  proto::SetAttrRequest now;
  now.set_atime_now(true);
  now.set_mtime_now(true);
  proto::SetAttrRequest one_now;
  one_now.set_mtime_now(true);
  proto::SetAttrRequest past;
  past.set_atime_ns(5);
  past.set_mtime_ns(-7);
  EXPECT_TRUE(client_.SetAttr(now, file, kBob).has_value());
  EXPECT_EQ(CodeOf(client_.SetAttr(one_now, file, kBob)), ErrorCode::kNotPermitted);
  EXPECT_EQ(CodeOf(client_.SetAttr(past, file, kBob)), ErrorCode::kNotPermitted);
  ASSERT_TRUE(client_.Chmod(file, 0444).has_value());
  EXPECT_EQ(CodeOf(client_.SetAttr(now, file, kBob)), ErrorCode::kPermissionDenied);
  EXPECT_TRUE(client_.SetAttr(now, file, kAlice).has_value()) << "the owner may without the right to write";
  ASSERT_TRUE(client_.SetAttr(past, file, kAlice).has_value());
  EXPECT_EQ(client_.AttrOf(file).atime_ns(), 5);
  EXPECT_EQ(client_.AttrOf(file).mtime_ns(), -7);
  EXPECT_GT(client_.AttrOf(file).ctime_ns(), 5);
}

TEST_F(AttributesTest, SizeTakesTheRightToWriteOrAHandle) {
  const Ino file = AliceFile("a", 0600);
  EXPECT_EQ(CodeOf(client_.Truncate(file, 1, kBob)), ErrorCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(client_.Truncate(client_.Directory(kRootIno, "d"), 1)), ErrorCode::kIsDirectory);
  const Result<proto::CreateReply> fifo = client_.Create(client_.NewInode(kRootIno, "fifo", S_IFIFO | 0666));
  EXPECT_EQ(CodeOf(client_.Truncate(Ino(fifo->attr().ino()), 1)), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(client_.Open(file, 1, O_RDWR, kAlice).has_value());
  ASSERT_TRUE(client_.Chmod(file, 0).has_value());
  EXPECT_EQ(CodeOf(client_.Truncate(file, 1, kAlice)), ErrorCode::kPermissionDenied);
  proto::SetAttrRequest by_handle;
  by_handle.set_size(1);
  by_handle.set_mtime_now(true);
  by_handle.set_by_open_handle(true);
  EXPECT_TRUE(client_.SetAttr(by_handle, file, kAlice).has_value());
  EXPECT_EQ(CodeOf(client_.Truncate(file, kMaxFileBytes + 1)), ErrorCode::kTooLarge);
}

TEST_F(AttributesTest, XattrsAreKeptReplacedAndRemoved) {
  const Ino file = AliceFile("a", 0644);
  ASSERT_TRUE(client_.SetXattr(file, "user.a", std::string("\0value", 6), kAlice).has_value());
  ASSERT_TRUE(client_.SetXattr(file, "user.b", "", kAlice).has_value());
  EXPECT_EQ(client_.GetXattr(file, "user.a")->value(), std::string("\0value", 6));
  EXPECT_EQ(client_.GetXattr(file, "user.b")->value(), "");
  EXPECT_EQ(CodeOf(client_.GetXattr(file, "user.c")), ErrorCode::kNoAttribute);
  ASSERT_TRUE(client_.SetXattr(file, "user.a", "new", kAlice).has_value());
  EXPECT_EQ(client_.GetXattr(file, "user.a")->value(), "new");

  proto::SetXattrRequest request;
  request.set_ino(file.value());
  request.set_name("user.a");
  request.set_create_only(true);
  EXPECT_EQ(CodeOf(client_.Call<OpKind::kMutation>(&op::SetXattr, request)), ErrorCode::kExists);
  request.set_create_only(false);
  request.set_replace_only(true);
  request.set_name("user.c");
  EXPECT_EQ(CodeOf(client_.Call<OpKind::kMutation>(&op::SetXattr, request)), ErrorCode::kNoAttribute);

  proto::ListXattrRequest list;
  list.set_ino(file.value());
  EXPECT_THAT(client_.Call<OpKind::kRead>(&op::ListXattr, list)->names(), testing::ElementsAre("user.a", "user.b"));
  proto::RemoveXattrRequest remove;
  remove.set_ino(file.value());
  remove.set_name("user.a");
  EXPECT_EQ(CodeOf(client_.Call<OpKind::kMutation>(&op::RemoveXattr, remove, kBob)), ErrorCode::kPermissionDenied);
  EXPECT_TRUE(client_.Call<OpKind::kMutation>(&op::RemoveXattr, remove, kAlice).has_value());
  EXPECT_EQ(CodeOf(client_.Call<OpKind::kMutation>(&op::RemoveXattr, remove, kAlice)), ErrorCode::kNoAttribute);
  ASSERT_TRUE(client_.Unlink(kRootIno, "a").has_value());
  EXPECT_EQ(bench_.CountRecords(Table::kXattr), 0u);
}

TEST_F(AttributesTest, XattrNamespacesHaveTheirRules) {
  const Ino file = AliceFile("a", 0644);
  EXPECT_EQ(CodeOf(client_.SetXattr(file, "trusted.a", "x", kAlice)), ErrorCode::kNotPermitted);
  EXPECT_EQ(CodeOf(client_.SetXattr(file, "security.a", "x", kAlice)), ErrorCode::kNotPermitted);
  ASSERT_TRUE(client_.SetXattr(file, "trusted.a", "x").has_value());
  EXPECT_EQ(CodeOf(client_.GetXattr(file, "trusted.a", kAlice)), ErrorCode::kNoAttribute);
  EXPECT_EQ(CodeOf(client_.SetXattr(file, "system.posix_acl_access", "x")), ErrorCode::kNotSupported);
  EXPECT_EQ(CodeOf(client_.SetXattr(file, "nonsense", "x")), ErrorCode::kNotSupported);
  EXPECT_EQ(CodeOf(client_.SetXattr(file, "user.", "x")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(client_.SetXattr(file, "user.a", "x", kBob)), ErrorCode::kPermissionDenied);
  proto::ListXattrRequest list;
  list.set_ino(file.value());
  EXPECT_TRUE(client_.Call<OpKind::kRead>(&op::ListXattr, list, kAlice)->names().empty());

  const Ino link(client_.Create(client_.NewInode(kRootIno, "link", S_IFLNK))->attr().ino());
  EXPECT_EQ(CodeOf(client_.SetXattr(link, "user.a", "x")), ErrorCode::kNotPermitted);
  const Ino tmp = client_.Directory(kRootIno, "tmp", kRoot, 01777);
  EXPECT_EQ(CodeOf(client_.SetXattr(tmp, "user.a", "x", kAlice)), ErrorCode::kNotPermitted);
}

TEST_F(AttributesTest, XattrsHaveLimits) {
  const Ino file = client_.File(kRootIno, "a");
  EXPECT_EQ(CodeOf(client_.SetXattr(file, "user." + std::string(251, 'x'), "x")), ErrorCode::kRange);
  EXPECT_TRUE(client_.SetXattr(file, "user." + std::string(250, 'x'), "x").has_value());
  EXPECT_EQ(CodeOf(client_.SetXattr(file, "user.a", std::string(65'537, 'x'))), ErrorCode::kArgumentTooLong);
  int kept = 0;
  while (kept < 20 && client_.SetXattr(file, "user." + std::to_string(kept), std::string(65'536, 'x'))) ++kept;
  EXPECT_EQ(kept, 7);
  EXPECT_EQ(CodeOf(client_.SetXattr(file, "user.more", std::string(65'536, 'x'))), ErrorCode::kNoSpace);
}

}  // namespace
}  // namespace gabion
