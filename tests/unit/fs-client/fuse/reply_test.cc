#include "fs-client/fuse/reply.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <utility>

#include "tests/unit/fs-client/fuse/recording_sink.h"

namespace gabion::fuse {
namespace {

TEST(ReplyTest, IsGivenOnce) {
  RecordingSink sink;
  {
    Reply reply(sink, {5, nullptr});
    EXPECT_TRUE(reply.Ok());
  }
  ASSERT_EQ(sink.sent.size(), 1u);
  EXPECT_EQ(sink.sent[0].unique, 5u);
  EXPECT_EQ(sink.sent[0].error, 0);
}

TEST(ReplyTest, SaysEioIfNobodyElseReplies) {
  RecordingSink sink;
  {
    Reply reply(sink, {6, nullptr});
    Reply moved = std::move(reply);
  }
  ASSERT_EQ(sink.sent.size(), 1u);
  EXPECT_EQ(sink.sent[0].error, EIO);
}

TEST(ReplyTest, StaysSilentWhenDismissed) {
  RecordingSink sink;
  { Reply(sink, {7, nullptr}).Dismiss(); }
  EXPECT_TRUE(sink.sent.empty());
}

TEST(ReplyTest, TellsWhenTheKernelNoLongerWantsIt) {
  RecordingSink sink;
  sink.wanted = false;
  EXPECT_FALSE(Reply(sink, {8, nullptr}).Ok());
}

TEST(ReplyDeathTest, MustNotBeGivenTwice) {
  RecordingSink sink;
  Reply reply(sink, {9, nullptr});
  reply.Fail(ENOENT);
  EXPECT_DEATH(reply.Fail(ENOENT), "");
}

}  // namespace
}  // namespace gabion::fuse
