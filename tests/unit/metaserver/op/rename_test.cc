#include <fcntl.h>

#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

using Flag = MetaClient::RenameFlag;

class RenameTest : public testing::Test {
 protected:
  RenameTest() {
    from_ = client_.Directory(kRootIno, "from");
    to_ = client_.Directory(kRootIno, "to");
  }
  ~RenameTest() override { bench_.ExpectConsistent(); }

  Result<proto::RenameReply> Move(const std::string& name, const std::string& new_name, Flag flag = Flag::kNone) {
    return client_.Rename(from_, name, to_, new_name, kRoot, flag);
  }
  std::uint64_t InoOf(Ino parent, const std::string& name) {
    Result<proto::LookupReply> found = client_.Lookup(parent, name);
    return found ? found->attr().ino() : 0;
  }

  MetaBench bench_;
  MetaClient client_{bench_};
  Ino from_, to_;
};

TEST_F(RenameTest, MovesAFile) {
  const Ino file = client_.File(from_, "a");
  const Result<proto::RenameReply> reply = Move("a", "b");
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->ino(), file.value());
  EXPECT_EQ(reply->replaced_ino(), 0u);
  EXPECT_EQ(InoOf(from_, "a"), 0u);
  EXPECT_EQ(InoOf(to_, "b"), file.value());
}

TEST_F(RenameTest, MovesADirectoryWithItsParentsLinks) {
  const Ino directory = client_.Directory(from_, "d");
  client_.Directory(directory, "below");
  ASSERT_TRUE(Move("d", "e").has_value());
  EXPECT_EQ(client_.AttrOf(from_).nlink(), 2u);
  EXPECT_EQ(client_.AttrOf(to_).nlink(), 3u);
  EXPECT_EQ(InoOf(directory, ".."), to_.value());
  ASSERT_TRUE(client_.Rename(to_, "e", to_, "f").has_value());
  EXPECT_EQ(client_.AttrOf(to_).nlink(), 3u);
}

TEST_F(RenameTest, ReplacesWhatMayBeReplaced) {
  struct Case {
    char source, target;  // 'f'ile, 'd'irectory, 'n'onempty directory
    ErrorCode expected;
  };
  const Case cases[] = {
      {'f', 'f', ErrorCode::kOk},           {'f', 'd', ErrorCode::kIsDirectory}, {'f', 'n', ErrorCode::kIsDirectory},
      {'d', 'f', ErrorCode::kNotDirectory}, {'d', 'd', ErrorCode::kOk},          {'d', 'n', ErrorCode::kNotEmpty},
      {'n', 'f', ErrorCode::kNotDirectory}, {'n', 'd', ErrorCode::kOk},          {'n', 'n', ErrorCode::kNotEmpty},
  };
  int number = 0;
  auto make = [&](Ino parent, const std::string& name, char kind) {
    if (kind == 'f') return client_.File(parent, name);
    const Ino directory = client_.Directory(parent, name);
    if (kind == 'n') client_.File(directory, "inside");
    return directory;
  };
  for (bool same_parent : {false, true}) {
    for (const Case& c : cases) {
      const std::string label{c.source, same_parent ? '=' : '/', c.target};
      SCOPED_TRACE(label);
      const std::string source = "s" + std::to_string(number), target = "t" + std::to_string(number);
      ++number;
      const Ino parent = same_parent ? from_ : to_;
      const Ino moved = make(from_, source, c.source);
      const Ino replaced = make(parent, target, c.target);
      const Result<proto::RenameReply> reply = client_.Rename(from_, source, parent, target);
      EXPECT_EQ(CodeOf(reply), c.expected);
      EXPECT_EQ(CodeOf(client_.GetAttr(replaced)), reply ? ErrorCode::kStale : ErrorCode::kOk);
      EXPECT_EQ(InoOf(parent, target), (reply ? moved : replaced).value());
      if (reply) {
        EXPECT_EQ(reply->replaced_ino(), replaced.value());
      }
      bench_.ExpectConsistent();
    }
  }
}

TEST_F(RenameTest, AReplacedFileThatIsOpenLivesOn) {
  client_.File(from_, "a");
  const Ino replaced = client_.File(to_, "b");
  ASSERT_TRUE(client_.Open(replaced, 1, O_RDONLY).has_value());
  ASSERT_TRUE(Move("a", "b").has_value());
  EXPECT_EQ(client_.AttrOf(replaced).nlink(), 0u);
  ASSERT_TRUE(client_.Release({1}).has_value());
  EXPECT_EQ(CodeOf(client_.GetAttr(replaced)), ErrorCode::kStale);
}

TEST_F(RenameTest, TwoNamesOfOneFileStayAsTheyAre) {
  const Ino file = client_.File(from_, "a");
  ASSERT_TRUE(client_.Link(file, to_, "b").has_value());
  ASSERT_TRUE(Move("a", "b").has_value());
  EXPECT_EQ(InoOf(from_, "a"), file.value());
  EXPECT_EQ(InoOf(to_, "b"), file.value());
  ASSERT_TRUE(client_.Rename(from_, "a", from_, "a").has_value());
  EXPECT_EQ(client_.AttrOf(file).nlink(), 2u);
}

TEST_F(RenameTest, ADirectoryDoesNotMoveIntoItself) {
  const Ino directory = client_.Directory(from_, "d");
  const Ino below = client_.Directory(directory, "below");
  const Ino deeper = client_.Directory(below, "deeper");
  for (Ino target : {directory, below, deeper})
    EXPECT_EQ(CodeOf(client_.Rename(from_, "d", target, "x")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(client_.Rename(directory, "below", from_, "d")), ErrorCode::kNotEmpty) << "over its own parent";
  EXPECT_EQ(CodeOf(client_.Rename(from_, "d", below, "deeper", kRoot, Flag::kExchange)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(client_.Rename(below, "deeper", from_, "d", kRoot, Flag::kExchange)), ErrorCode::kInvalidArgument);
}

TEST_F(RenameTest, NoReplaceLeavesWhatIsThere) {
  client_.File(from_, "a");
  const Ino target = client_.File(to_, "b");
  EXPECT_EQ(CodeOf(Move("a", "b", Flag::kNoReplace)), ErrorCode::kExists);
  EXPECT_EQ(InoOf(to_, "b"), target.value());
  EXPECT_TRUE(Move("a", "c", Flag::kNoReplace).has_value());
}

TEST_F(RenameTest, ExchangeSwapsAnyTwo) {
  const Ino file = client_.File(from_, "a");
  const Ino directory = client_.Directory(to_, "b");
  client_.File(directory, "inside");
  ASSERT_TRUE(Move("a", "b", Flag::kExchange).has_value());
  EXPECT_EQ(InoOf(from_, "a"), directory.value());
  EXPECT_EQ(InoOf(to_, "b"), file.value());
  EXPECT_EQ(InoOf(directory, ".."), from_.value());
  EXPECT_EQ(client_.AttrOf(from_).nlink(), 3u);
  EXPECT_EQ(client_.AttrOf(to_).nlink(), 2u);
  bench_.ExpectConsistent();
  ASSERT_TRUE(Move("a", "b", Flag::kExchange).has_value());
  EXPECT_EQ(InoOf(to_, "b"), directory.value());
  EXPECT_EQ(CodeOf(Move("a", "none", Flag::kExchange)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(Move("none", "b", Flag::kExchange)), ErrorCode::kNotFound);
}

TEST_F(RenameTest, FlagsExcludeEachOther) {
  client_.File(from_, "a");
  proto::RenameRequest request;
  request.set_parent(from_.value());
  request.set_name("a");
  request.set_new_parent(to_.value());
  request.set_new_name("b");
  request.set_no_replace(true);
  request.set_exchange(true);
  EXPECT_EQ(CodeOf(client_.Call<OpKind::kMutation>(&op::Rename, request)), ErrorCode::kInvalidArgument);
}

TEST_F(RenameTest, NamesAreChecked) {
  client_.File(from_, "a");
  EXPECT_EQ(CodeOf(Move("a", std::string(256, 'x'))), ErrorCode::kNameTooLong);
  EXPECT_EQ(CodeOf(Move("a", "..")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(Move("none", "b")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(client_.Rename(from_, "a", Ino(999'999), "b")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(client_.Rename(from_, "a", client_.File(to_, "f"), "b")), ErrorCode::kNotDirectory);
}

TEST_F(RenameTest, NeedsTheRightToWriteBothDirectories) {
  const Ino alices = client_.Directory(kRootIno, "alices", kAlice);
  const Ino bobs = client_.Directory(kRootIno, "bobs", kBob);
  client_.File(alices, "a", kAlice);
  EXPECT_EQ(CodeOf(client_.Rename(alices, "a", bobs, "a", kAlice)), ErrorCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(client_.Rename(alices, "a", bobs, "a", kBob)), ErrorCode::kPermissionDenied);
  EXPECT_TRUE(client_.Rename(alices, "a", bobs, "a", kRoot).has_value());
  // A directory that gets another ".." must be writable itself.
  const Ino tmp = client_.Directory(kRootIno, "tmp", kRoot, 0777);
  client_.Directory(tmp, "roots", kRoot, 0755);
  EXPECT_EQ(CodeOf(client_.Rename(tmp, "roots", alices, "roots", kAlice)), ErrorCode::kPermissionDenied);
  EXPECT_TRUE(client_.Rename(tmp, "roots", tmp, "renamed", kAlice).has_value());
}

TEST_F(RenameTest, AStickyTargetIsNotReplacedByOthers) {
  const Ino tmp = client_.Directory(kRootIno, "tmp", kRoot, 01777);
  client_.File(tmp, "alices", kAlice);
  client_.File(tmp, "bobs", kBob);
  EXPECT_EQ(CodeOf(client_.Rename(tmp, "bobs", tmp, "alices", kBob)), ErrorCode::kNotPermitted);
  EXPECT_EQ(CodeOf(client_.Rename(tmp, "bobs", tmp, "alices", kBob, Flag::kExchange)), ErrorCode::kNotPermitted);
  EXPECT_TRUE(client_.Rename(tmp, "bobs", tmp, "new", kBob).has_value());
}

}  // namespace
}  // namespace gabion
