// Lookup, Create, Link, Unlink, Rmdir, ReadLink: the namespace without rename (rename_test.cc).
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

class NamesTest : public testing::Test {
 protected:
  ~NamesTest() override { bench_.ExpectConsistent(); }

  MetaBench bench_;
  MetaClient client_{bench_};
};

TEST_F(NamesTest, AFileIsFoundUnderItsName) {
  const Ino file = client_.File(kRootIno, "a", kAlice, 0640);
  const Result<proto::LookupReply> found = client_.Lookup(kRootIno, "a");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->attr().ino(), file.value());
  EXPECT_EQ(found->attr().mode(), S_IFREG | 0640u);
  EXPECT_EQ(found->attr().uid(), kAlice.uid);
  EXPECT_EQ(found->attr().gid(), kAlice.gid);
  EXPECT_EQ(found->attr().nlink(), 1u);
  EXPECT_EQ(found->attr().size(), 0u);
  EXPECT_NE(found->attr().first_chunk().chunk_id(), 0u);
  EXPECT_NE(found->attr().first_chunk().pg_id(), 0u);
  EXPECT_NE(found->attr().btime_ns(), 0);
  EXPECT_EQ(CodeOf(client_.Lookup(kRootIno, "b")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(client_.Lookup(file, "b")), ErrorCode::kNotDirectory);
  EXPECT_EQ(CodeOf(client_.Lookup(Ino(999'999), "b")), ErrorCode::kNotFound);
}

TEST_F(NamesTest, DotAndDotDotAreResolved) {
  const Ino directory = client_.Directory(kRootIno, "d");
  EXPECT_EQ(client_.Lookup(directory, ".")->attr().ino(), directory.value());
  EXPECT_EQ(client_.Lookup(directory, "..")->attr().ino(), kRootIno.value());
  EXPECT_EQ(client_.Lookup(kRootIno, "..")->attr().ino(), kRootIno.value());
}

TEST_F(NamesTest, NamesHaveALengthAndAForm) {
  client_.File(kRootIno, std::string(255, 'x'));
  EXPECT_TRUE(client_.Lookup(kRootIno, std::string(255, 'x')).has_value());
  const std::string too_long(256, 'x');
  EXPECT_EQ(CodeOf(client_.MakeFile(kRootIno, too_long)), ErrorCode::kNameTooLong);
  EXPECT_EQ(CodeOf(client_.Lookup(kRootIno, too_long)), ErrorCode::kNameTooLong);
  EXPECT_EQ(CodeOf(client_.Unlink(kRootIno, too_long)), ErrorCode::kNameTooLong);
  for (const std::string& name : {std::string("."), std::string(".."), std::string("a/b"), std::string("a\0b", 3)})
    EXPECT_EQ(CodeOf(client_.MakeFile(kRootIno, name)), ErrorCode::kInvalidArgument) << name;
}

TEST_F(NamesTest, EveryTypeIsMade) {
  proto::CreateRequest device = client_.NewInode(kRootIno, "null", S_IFCHR | 0666);
  device.set_rdev(makedev(1, 3));
  EXPECT_EQ(CodeOf(client_.Create(device, kAlice)), ErrorCode::kNotPermitted);
  ASSERT_TRUE(client_.Create(device).has_value());
  EXPECT_EQ(client_.Lookup(kRootIno, "null")->attr().rdev(), makedev(1, 3));

  const Ino directory = client_.Directory(kRootIno, "d", kRoot, 01777);
  for (std::uint32_t type : {S_IFIFO, S_IFSOCK}) {
    const std::string name = std::to_string(type);
    ASSERT_TRUE(client_.Create(client_.NewInode(directory, name, type | 0600), kAlice).has_value());
    EXPECT_EQ(client_.Lookup(directory, name)->attr().mode(), type | 0600u);
  }
  proto::CreateRequest whiteout = client_.NewInode(directory, "whiteout", S_IFCHR);
  EXPECT_TRUE(client_.Create(whiteout, kAlice).has_value()) << "overlayfs makes them without privileges";
  EXPECT_EQ(CodeOf(client_.Create(client_.NewInode(directory, "typeless", 0644))), ErrorCode::kInvalidArgument);
}

TEST_F(NamesTest, SymbolicLinksKeepTheirTarget) {
  proto::CreateRequest request = client_.NewInode(kRootIno, "link", S_IFLNK | 0600);
  request.set_symlink_target("../some where");
  const Result<proto::CreateReply> made = client_.Create(request, kRoot);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->attr().mode(), S_IFLNK | 0777u);
  EXPECT_EQ(made->attr().size(), 13u);
  proto::ReadLinkRequest read;
  read.set_ino(made->attr().ino());
  EXPECT_EQ(client_.Call<OpKind::kRead>(&op::ReadLink, read)->target(), "../some where");
  read.set_ino(kRootIno.value());
  EXPECT_EQ(CodeOf(client_.Call<OpKind::kRead>(&op::ReadLink, read)), ErrorCode::kInvalidArgument);

  request = client_.NewInode(kRootIno, "other", S_IFLNK);
  request.set_symlink_target("");
  EXPECT_EQ(CodeOf(client_.Create(request)), ErrorCode::kNotFound);
  request.set_symlink_target(std::string(4096, 'x'));
  EXPECT_EQ(CodeOf(client_.Create(request)), ErrorCode::kNameTooLong);
  request.set_symlink_target(std::string(4095, 'x'));
  EXPECT_TRUE(client_.Create(request).has_value());
}

TEST_F(NamesTest, MakingWhatExistsFails) {
  client_.File(kRootIno, "a");
  EXPECT_EQ(CodeOf(client_.MakeFile(kRootIno, "a")), ErrorCode::kExists);
  EXPECT_EQ(CodeOf(client_.MakeDirectory(kRootIno, "a")), ErrorCode::kExists);
  EXPECT_EQ(CodeOf(client_.MakeFile(kRootIno, "a", kBob)), ErrorCode::kExists) << "EEXIST comes before EACCES";
}

TEST_F(NamesTest, MakingAndRemovingNeedsTheRightToWriteAndSearch) {
  const Ino closed = client_.Directory(kRootIno, "closed", kAlice, 0755);
  client_.File(closed, "a", kAlice);
  EXPECT_EQ(CodeOf(client_.MakeFile(closed, "b", kBob)), ErrorCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(client_.Unlink(closed, "a", kBob)), ErrorCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(client_.Rmdir(closed, "a", kBob)), ErrorCode::kPermissionDenied);
  const Ino hidden = client_.Directory(kRootIno, "hidden", kAlice, 0600);
  EXPECT_EQ(CodeOf(client_.Lookup(hidden, "a", kAlice)), ErrorCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(client_.MakeFile(hidden, "a", kAlice)), ErrorCode::kPermissionDenied);
  EXPECT_TRUE(client_.MakeFile(hidden, "a", kRoot).has_value());
}

TEST_F(NamesTest, SupplementaryGroupsCount) {
  const Ino shared = client_.Directory(kRootIno, "shared", kRoot, 0770);
  ASSERT_TRUE(client_.Chown(shared, 0, 77).has_value());
  EXPECT_EQ(CodeOf(client_.MakeFile(shared, "a", kAlice)), ErrorCode::kPermissionDenied);
  EXPECT_TRUE(client_.MakeFile(shared, "a", {kAlice.uid, kAlice.gid, {5, 77}}).has_value());
  // The owner's bits alone count for the owner, the group's for the group.
  const Ino file = client_.File(shared, "f", kRoot, 0607);
  ASSERT_TRUE(client_.Chown(file, kAlice.uid, 77).has_value());
  EXPECT_EQ(CodeOf(client_.Open(file, 1, O_RDONLY, {kBob.uid, 77, {}})), ErrorCode::kPermissionDenied);
}

TEST_F(NamesTest, ASetgidDirectoryPassesItsGroupOn) {
  const Ino shared = client_.Directory(kRootIno, "shared", kRoot, 02777);
  ASSERT_TRUE(client_.Chown(shared, 0, 77).has_value());
  ASSERT_TRUE(client_.Chmod(shared, 02777).has_value());
  EXPECT_EQ(client_.MakeFile(shared, "f", kAlice)->attr().gid(), 77u);
  const Result<proto::CreateReply> below = client_.MakeDirectory(shared, "d", kAlice);
  EXPECT_EQ(below->attr().gid(), 77u);
  EXPECT_EQ(below->attr().mode(), S_IFDIR | 02755u);
  EXPECT_EQ(client_.MakeFile(shared, "p", kAlice, 02755)->attr().mode(), S_IFREG | 0755u)
      << "a program of a group that its maker is not in";
}

TEST_F(NamesTest, InAStickyDirectoryOnlyOwnersRemove) {
  const Ino tmp = client_.Directory(kRootIno, "tmp", kRoot, 01777);
  client_.File(tmp, "a", kAlice, 0666);
  EXPECT_EQ(CodeOf(client_.Unlink(tmp, "a", kBob)), ErrorCode::kNotPermitted);
  EXPECT_EQ(CodeOf(client_.Rename(tmp, "a", tmp, "b", kBob)), ErrorCode::kNotPermitted);
  EXPECT_TRUE(client_.Unlink(tmp, "a", kAlice).has_value());
  const Ino bobs = client_.Directory(tmp, "bobs", kBob, 01777);
  client_.File(bobs, "a", kAlice);
  EXPECT_TRUE(client_.Unlink(bobs, "a", kBob).has_value()) << "the directory's owner may";
  client_.Directory(tmp, "d", kAlice);
  EXPECT_EQ(CodeOf(client_.Rmdir(tmp, "d", kBob)), ErrorCode::kNotPermitted);
}

TEST_F(NamesTest, LinksCount) {
  const Ino file = client_.File(kRootIno, "a");
  const Ino directory = client_.Directory(kRootIno, "d");
  ASSERT_TRUE(client_.Link(file, directory, "b").has_value());
  EXPECT_EQ(client_.AttrOf(file).nlink(), 2u);
  EXPECT_EQ(CodeOf(client_.Link(file, directory, "b")), ErrorCode::kExists);
  EXPECT_EQ(CodeOf(client_.Link(directory, kRootIno, "e")), ErrorCode::kNotPermitted);
  EXPECT_EQ(CodeOf(client_.Link(file, file, "e")), ErrorCode::kNotDirectory);
  EXPECT_EQ(CodeOf(client_.Link(file, kRootIno, "e", kBob)), ErrorCode::kPermissionDenied);
  EXPECT_EQ(client_.Unlink(kRootIno, "a")->nlink(), 1u);
  EXPECT_EQ(client_.AttrOf(file).nlink(), 1u);
  EXPECT_EQ(client_.Unlink(directory, "b")->nlink(), 0u);
  EXPECT_EQ(CodeOf(client_.GetAttr(file)), ErrorCode::kStale);
  EXPECT_EQ(CodeOf(client_.Link(file, directory, "c")), ErrorCode::kStale);
}

TEST_F(NamesTest, LinksHaveALimit) {
  const Ino file = client_.File(kRootIno, "a");
  const Ino directory = client_.Directory(kRootIno, "d");
  const VolumeId volume = bench_.volume()->id();
  auto set_links = [&](Ino ino, std::uint32_t nlink) {
    Volume::Decision decide = [&](Txn& txn, OpContext&) -> Result<void> {
      TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(ino));
      inode->set_nlink(nlink);
      txn.PutInode(ino, *inode);
      return {};
    };
    ASSERT_TRUE(bench_.Do(bench_.volume()->Run(std::move(decide), nullptr, bench_.env())).has_value());
  };
  ASSERT_TRUE(volume);
  set_links(file, kMaxLinks);
  set_links(directory, kMaxLinks);
  EXPECT_EQ(CodeOf(client_.Link(file, kRootIno, "b")), ErrorCode::kTooManyLinks);
  EXPECT_EQ(CodeOf(client_.MakeDirectory(directory, "e")), ErrorCode::kTooManyLinks);
  client_.Directory(kRootIno, "e");
  EXPECT_EQ(CodeOf(client_.Rename(kRootIno, "e", directory, "e")), ErrorCode::kTooManyLinks);
  set_links(file, 1);
  set_links(directory, 2);
}

TEST_F(NamesTest, UnlinkAndRmdirKnowTheirTypes) {
  client_.File(kRootIno, "a");
  const Ino directory = client_.Directory(kRootIno, "d");
  client_.File(directory, "b");
  EXPECT_EQ(CodeOf(client_.Unlink(kRootIno, "d")), ErrorCode::kIsDirectory);
  EXPECT_EQ(CodeOf(client_.Rmdir(kRootIno, "a")), ErrorCode::kNotDirectory);
  EXPECT_EQ(CodeOf(client_.Rmdir(kRootIno, "d")), ErrorCode::kNotEmpty);
  EXPECT_EQ(CodeOf(client_.Unlink(kRootIno, "c")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(client_.Rmdir(kRootIno, "c")), ErrorCode::kNotFound);
  ASSERT_TRUE(client_.Unlink(directory, "b").has_value());
  EXPECT_EQ(client_.AttrOf(kRootIno).nlink(), 3u);
  ASSERT_TRUE(client_.Rmdir(kRootIno, "d").has_value());
  EXPECT_EQ(client_.AttrOf(kRootIno).nlink(), 2u);
  EXPECT_EQ(CodeOf(client_.MakeFile(directory, "b")), ErrorCode::kNotFound);
}

TEST_F(NamesTest, ARemovedDirectoryThatIsOpenTakesNoNames) {
  const Ino directory = client_.Directory(kRootIno, "d");
  ASSERT_TRUE(client_.Open(directory, 1, O_RDONLY).has_value());
  ASSERT_TRUE(client_.Rmdir(kRootIno, "d").has_value());
  EXPECT_EQ(client_.AttrOf(directory).nlink(), 0u);
  EXPECT_EQ(CodeOf(client_.MakeFile(directory, "a")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(client_.Lookup(directory, "..")), ErrorCode::kNotFound);
  EXPECT_TRUE(client_.Names(directory).empty());
  ASSERT_TRUE(client_.Release({1}).has_value());
  EXPECT_EQ(CodeOf(client_.GetAttr(directory)), ErrorCode::kStale);
}

TEST_F(NamesTest, TimesChangeAsPosixHasIt) {
  const Ino directory = client_.Directory(kRootIno, "d");
  auto passes = [&] { bench_.world().RunFor(std::chrono::milliseconds(1)); };
  auto expect_changed = [&](const proto::Attr& before, bool content, const char* what) {
    const proto::Attr after = client_.AttrOf(Ino(before.ino()));
    EXPECT_GT(after.ctime_ns(), before.ctime_ns()) << what;
    EXPECT_EQ(after.mtime_ns() > before.mtime_ns(), content) << what;
    EXPECT_EQ(after.atime_ns(), before.atime_ns()) << what;
  };
  proto::Attr above = client_.AttrOf(directory);
  passes();
  const Ino file = client_.File(directory, "a");
  expect_changed(above, true, "create: directory");

  above = client_.AttrOf(directory);
  proto::Attr before = client_.AttrOf(file);
  passes();
  ASSERT_TRUE(client_.Link(file, directory, "b").has_value());
  expect_changed(above, true, "link: directory");
  expect_changed(before, false, "link: file");

  above = client_.AttrOf(directory);
  before = client_.AttrOf(file);
  passes();
  ASSERT_TRUE(client_.Unlink(directory, "b").has_value());
  expect_changed(above, true, "unlink: directory");
  expect_changed(before, false, "unlink: file");

  const proto::Attr target = client_.AttrOf(kRootIno);
  above = client_.AttrOf(directory);
  before = client_.AttrOf(file);
  passes();
  ASSERT_TRUE(client_.Rename(directory, "a", kRootIno, "a").has_value());
  expect_changed(above, true, "rename: from");
  expect_changed(target, true, "rename: to");
  expect_changed(before, false, "rename: file");

  before = client_.AttrOf(file);
  passes();
  ASSERT_TRUE(client_.Chmod(file, before.mode() & 07777).has_value());
  expect_changed(before, false, "chmod without a change");
  before = client_.AttrOf(file);
  passes();
  ASSERT_TRUE(client_.Chown(file, 0, 0).has_value());
  expect_changed(before, false, "chown without a change");
  before = client_.AttrOf(file);
  passes();
  ASSERT_TRUE(client_.Truncate(file, 5).has_value());
  expect_changed(before, true, "truncate");

  above = client_.AttrOf(directory);
  passes();
  EXPECT_EQ(CodeOf(client_.Unlink(directory, "none")), ErrorCode::kNotFound);
  EXPECT_EQ(client_.AttrOf(directory).ctime_ns(), above.ctime_ns()) << "a failed call changes nothing";
}

TEST_F(NamesTest, IdsMustBeDelegatedAndNew) {
  proto::CreateRequest request = client_.NewInode(kRootIno, "a", S_IFREG | 0644);
  request.set_ino(5);
  EXPECT_EQ(CodeOf(client_.Create(request)), ErrorCode::kInvalidArgument);
  MetaClient other(bench_);
  request.set_ino(other.NextIno().value());
  EXPECT_EQ(CodeOf(client_.Create(request)), ErrorCode::kInvalidArgument);
  request.set_ino(client_.NextIno().value());
  request.set_first_chunk_id(other.NextChunk());
  EXPECT_EQ(CodeOf(client_.Create(request)), ErrorCode::kInvalidArgument);
  request.set_first_chunk_id(client_.NextChunk());
  EXPECT_TRUE(client_.Create(request).has_value());
  request.set_name("b");
  EXPECT_EQ(CodeOf(client_.Create(request)), ErrorCode::kInvalidArgument) << "an inode number twice";
}

TEST_F(NamesTest, ListsADirectoryInPages) {
  const Ino directory = client_.Directory(kRootIno, "d");
  std::vector<std::string> expected;
  for (int i = 0; i < 57; ++i) {
    expected.push_back("name" + std::to_string(i));
    client_.File(directory, expected.back());
  }
  std::sort(expected.begin(), expected.end());
  for (std::uint32_t page : {1u, 7u, 57u, 1000u}) EXPECT_EQ(client_.Names(directory, page), expected) << page;

  proto::ReadDirRequest request;
  request.set_ino(directory.value());
  request.set_max_entries(10);
  request.set_with_attr(true);
  request.set_after_name("name5");
  Result<proto::ReadDirReply> reply = client_.Call<OpKind::kRead>(&op::ReadDir, request);
  ASSERT_TRUE(reply.has_value());
  EXPECT_FALSE(reply->end());
  EXPECT_EQ(reply->entries(0).name(), "name50");
  EXPECT_EQ(reply->entries(0).attr().ino(), reply->entries(0).ino());
  EXPECT_EQ(reply->entries(0).mode(), S_IFREG + 0u);
  request.set_after_name(std::string(256, 'x'));
  EXPECT_EQ(CodeOf(client_.Call<OpKind::kRead>(&op::ReadDir, request)), ErrorCode::kNameTooLong);
}

TEST_F(NamesTest, AListingIsStableUnderChange) {
  const Ino directory = client_.Directory(kRootIno, "d");
  for (const char* name : {"a", "c", "e", "g"}) client_.File(directory, name);
  proto::ReadDirRequest request;
  request.set_ino(directory.value());
  request.set_max_entries(2);
  ASSERT_EQ(client_.Call<OpKind::kRead>(&op::ReadDir, request)->entries(1).name(), "c");
  ASSERT_TRUE(client_.Unlink(directory, "c").has_value());
  client_.File(directory, "b");
  client_.File(directory, "d");
  request.set_after_name("c");
  request.set_max_entries(10);
  std::vector<std::string> rest;
  const Result<proto::ReadDirReply> reply = client_.Call<OpKind::kRead>(&op::ReadDir, request);
  for (const proto::DirEntry& entry : reply->entries()) rest.push_back(entry.name());
  EXPECT_THAT(rest, testing::ElementsAre("d", "e", "g"));
}

TEST_F(NamesTest, ListingNeedsTheRightToReadOrAHandle) {
  const Ino directory = client_.Directory(kRootIno, "d", kAlice, 0700);
  proto::ReadDirRequest request;
  request.set_ino(directory.value());
  EXPECT_EQ(CodeOf(client_.Call<OpKind::kRead>(&op::ReadDir, request, kBob)), ErrorCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(client_.Open(directory, 1, O_RDONLY, kBob)), ErrorCode::kPermissionDenied);
  ASSERT_TRUE(client_.Open(directory, 1, O_RDONLY, kAlice).has_value());
  EXPECT_TRUE(client_.Call<OpKind::kRead>(&op::ReadDir, request, kBob).has_value());
  request.set_ino(client_.File(kRootIno, "f").value());
  EXPECT_EQ(CodeOf(client_.Call<OpKind::kRead>(&op::ReadDir, request)), ErrorCode::kNotDirectory);
}

}  // namespace
}  // namespace gabion
