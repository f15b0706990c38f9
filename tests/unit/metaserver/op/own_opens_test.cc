// What clients opened by themselves: naming it, and removing names that lead where the client expects.
#include <fcntl.h>
#include <gmock/gmock.h>

#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

using testing::ElementsAre;

class OwnOpensOpsTest : public testing::Test {
 protected:
  Result<proto::NameHandlesReply> Name(std::initializer_list<std::pair<std::uint64_t, Ino>> handles) {
    proto::NameHandlesRequest request;
    for (const auto& [handle, ino] : handles) {
      proto::OpenHandle& open = *request.add_handles();
      open.set_handle_id(handle);
      open.set_ino(ino.value());
    }
    return client_.Call<OpKind::kHandle>(&op::NameHandles, request);
  }
  Result<proto::UnlinkReply> UnlinkExpecting(const std::string& name, Ino expected) {
    proto::UnlinkRequest request;
    request.set_parent(kRootIno.value());
    request.set_name(name);
    request.set_expected_ino(expected.value());
    return client_.Call<OpKind::kMutation>(&op::Unlink, request);
  }
  Result<proto::RenameReply> RenameExpecting(const std::string& name, const std::string& new_name, Ino expected) {
    proto::RenameRequest request;
    request.set_parent(kRootIno.value());
    request.set_name(name);
    request.set_new_parent(kRootIno.value());
    request.set_new_name(new_name);
    request.set_expected_ino(expected.value());
    return client_.Call<OpKind::kMutation>(&op::Rename, request);
  }

  MetaBench bench_;
  MetaClient client_{bench_};
};

TEST_F(OwnOpensOpsTest, WhatIsNamedOutlivesItsName) {
  const Ino file = client_.File(kRootIno, "a");
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(Name({{1, file}}).has_value());
  ASSERT_TRUE(client_.Unlink(kRootIno, "a").has_value());
  bench_.RunDuties();
  EXPECT_TRUE(client_.GetAttr(file).has_value());
  ASSERT_TRUE(client_.Release({1}).has_value());
  bench_.RunDuties();
  EXPECT_EQ(CodeOf(client_.GetAttr(file)), ErrorCode::kStale);
}

TEST_F(OwnOpensOpsTest, WhoseFileIsGoneIsTold) {
  const Ino file = client_.File(kRootIno, "a"), gone = client_.File(kRootIno, "b");
  ASSERT_TRUE(client_.Unlink(kRootIno, "b").has_value());
  const Result<proto::NameHandlesReply> reply = Name({{1, file}, {2, gone}});
  ASSERT_TRUE(reply.has_value());
  EXPECT_THAT(reply->lost_handles(), ElementsAre(2u));
  ASSERT_TRUE(client_.Unlink(kRootIno, "a").has_value());
  EXPECT_TRUE(client_.GetAttr(file).has_value());
}

TEST_F(OwnOpensOpsTest, AHandleIsOfOneFile) {
  const Ino file = client_.File(kRootIno, "a"), other = client_.File(kRootIno, "b");
  ASSERT_TRUE(Name({{1, file}}).has_value());
  EXPECT_EQ(CodeOf(Name({{1, other}})), ErrorCode::kInvalidArgument);
}

TEST_F(OwnOpensOpsTest, TooManyAreRefused) {
  const Ino file = client_.File(kRootIno, "a");
  proto::NameHandlesRequest request;
  for (std::uint64_t i = 1; i <= 4097; ++i) {
    proto::OpenHandle& open = *request.add_handles();
    open.set_handle_id(i);
    open.set_ino(file.value());
  }
  EXPECT_EQ(CodeOf(client_.Call<OpKind::kHandle>(&op::NameHandles, request)), ErrorCode::kInvalidArgument);
}

TEST_F(OwnOpensOpsTest, ANameThatLeadsElsewhereStays) {
  const Ino file = client_.File(kRootIno, "a"), other = client_.File(kRootIno, "b");
  EXPECT_EQ(CodeOf(UnlinkExpecting("a", other)), ErrorCode::kNameChanged);
  EXPECT_EQ(CodeOf(UnlinkExpecting("a", Ino())), ErrorCode::kNameChanged);
  EXPECT_EQ(CodeOf(RenameExpecting("b", "a", other)), ErrorCode::kNameChanged);
  EXPECT_EQ(Ino(client_.Lookup(kRootIno, "a")->attr().ino()), file);
  EXPECT_EQ(CodeOf(UnlinkExpecting("c", other)), ErrorCode::kNotFound);
  ASSERT_TRUE(RenameExpecting("b", "a", file).has_value());
  ASSERT_TRUE(RenameExpecting("a", "c", Ino()).has_value());
  ASSERT_TRUE(UnlinkExpecting("c", other).has_value());
}

}  // namespace
}  // namespace gabion
