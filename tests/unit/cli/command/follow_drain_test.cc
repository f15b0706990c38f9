#include "cli/command/follow_drain.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/unit/cli/mock_admin_api.h"
#include "tests/unit/code_of.h"

namespace gabion {
namespace {

using testing::HasSubstr;
using testing::Return;

/// A server whose drain loses one group in each second.
class FollowDrainTest : public testing::Test {
 protected:
  FollowDrainTest() {
    server_.set_server_id(3);
    server_.set_draining(true);
    server_.set_pgs(25);
    ON_CALL(api_, ListServers()).WillByDefault([this] {
      proto::ServerListReply reply;
      reply.add_servers()->set_server_id(1);
      *reply.add_servers() = server_;
      return Result<proto::ServerListReply>(reply);
    });
    context_.console.wait = [this](Duration) {
      server_.set_pgs(server_.pgs() - 1);
      return ++waits_ != interrupted_at_;
    };
  }

  Result<proto::ServerEntry> Follow() { return FollowDrain(context_, server_); }
  int Lines() const {
    const std::string text = out_.str();
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }

  testing::NiceMock<MockAdminApi> api_;
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream err_;
  CommandContext context_{api_, {in_, out_, err_}};
  proto::ServerEntry server_;
  int waits_ = 0;
  int interrupted_at_ = 0;  // never
};

TEST_F(FollowDrainTest, EndsWhenNothingIsLeftWithALineEveryTenSeconds) {
  EXPECT_EQ(Follow()->pgs(), 0u);
  EXPECT_EQ(waits_, 25);
  EXPECT_EQ(Lines(), 3);
  EXPECT_THAT(out_.str(), HasSubstr("25 placement groups"));
  EXPECT_THAT(out_.str(), HasSubstr("15 placement groups"));
}

TEST_F(FollowDrainTest, OnATerminalItIsOneLine) {
  context_.console.out_is_terminal = true;
  EXPECT_TRUE(Follow().has_value());
  EXPECT_EQ(Lines(), 1);
  EXPECT_THAT(out_.str(), HasSubstr("\rchunkserver 3: 1 placement group,"));
}

TEST_F(FollowDrainTest, JsonIsNotDisturbed) {
  context_.json = true;
  EXPECT_TRUE(Follow().has_value());
  EXPECT_EQ(out_.str(), "");
}

TEST_F(FollowDrainTest, AnInterruptSaysThatTheDrainGoesOn) {
  interrupted_at_ = 5;
  const Result<proto::ServerEntry> followed = Follow();
  EXPECT_EQ(CodeOf(followed), ErrorCode::kCancelled);
  EXPECT_THAT(followed.error().message(), HasSubstr("goes on being drained"));
  EXPECT_THAT(followed.error().message(), HasSubstr("undrain 3"));
}

TEST_F(FollowDrainTest, ARestartOfTheMetaserverIsWaitedFor) {
  EXPECT_CALL(api_, ListServers())
      .WillOnce(Return(Error(ErrorCode::kUnavailable, "connection refused")))
      .WillOnce(Return(Error(ErrorCode::kDeadlineExceeded, "no answer")))
      .WillRepeatedly([this] {
        proto::ServerListReply reply;
        *reply.add_servers() = server_;
        return Result<proto::ServerListReply>(reply);
      });
  EXPECT_TRUE(Follow().has_value());
}

TEST_F(FollowDrainTest, AMetaserverThatStaysAwayIsToldOf) {
  EXPECT_CALL(api_, ListServers()).WillRepeatedly(Return(Error(ErrorCode::kUnavailable, "connection refused")));
  const Result<proto::ServerEntry> followed = Follow();
  EXPECT_EQ(CodeOf(followed), ErrorCode::kUnavailable);
  EXPECT_THAT(followed.error().message(), HasSubstr("goes on"));
}

TEST_F(FollowDrainTest, ADrainThatIsTakenBackOrAServerThatIsRemovedEndsIt) {
  EXPECT_CALL(api_, ListServers()).WillOnce(Return(proto::ServerListReply()));
  EXPECT_EQ(CodeOf(Follow()), ErrorCode::kNotFound);
  server_.set_draining(false);
  proto::ServerListReply reply;
  *reply.add_servers() = server_;
  EXPECT_CALL(api_, ListServers()).WillOnce(Return(reply));
  EXPECT_EQ(CodeOf(Follow()), ErrorCode::kCancelled);
}

}  // namespace
}  // namespace gabion
