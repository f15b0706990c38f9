#include <nlohmann/json.hpp>

#include "tests/unit/cli/app_fixture.h"

namespace gabion {
namespace {

using testing::_;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Return;

proto::ClientEntry ClientOf(std::uint64_t session_id, proto::ClientState state = proto::CLIENT_ACTIVE) {
  proto::ClientEntry client;
  client.set_session_id(session_id);
  client.set_volume_id(2);
  client.set_volume("home");
  client.set_state(state);
  return client;
}

class ClientCommandsTest : public AppFixture {
 protected:
  void WillEvict(proto::ClientState state) {
    proto::ClientEvictReply reply;
    *reply.mutable_client() = ClientOf(7, state);
    EXPECT_CALL(api_, EvictClient(7)).WillOnce(Return(reply));
  }
  static Result<proto::ClientShowReply> Shown(proto::ClientState state) {
    proto::ClientShowReply reply;
    *reply.mutable_client() = ClientOf(7, state);
    return reply;
  }
};

TEST_F(ClientCommandsTest, ListsAllPages) {
  std::vector<proto::ClientListRequest> requests;
  EXPECT_CALL(api_, ListClients(_)).Times(3).WillRepeatedly([&](const proto::ClientListRequest& request) {
    requests.push_back(request);
    proto::ClientListReply reply;
    *reply.add_clients() = ClientOf(requests.size());
    reply.set_more(requests.size() < 3);
    return Result<proto::ClientListReply>(reply);
  });
  EXPECT_EQ(Run({"client", "list", "--volume", "home", "--json"}), ExitCode::kDone);
  const auto json = nlohmann::json::parse(out_.str());
  ASSERT_EQ(json.size(), 3u);
  EXPECT_EQ(json[2]["session_id"], 3);
  EXPECT_EQ(requests[0].volume(), "home");
  EXPECT_EQ(requests[0].after_session_id(), 0u);
  EXPECT_EQ(requests[2].after_volume_id(), 2u);
  EXPECT_EQ(requests[2].after_session_id(), 2u);
}

TEST_F(ClientCommandsTest, AListWithoutEndIsNotFollowed) {
  proto::ClientListReply reply;
  reply.set_more(true);
  EXPECT_CALL(api_, ListClients(_)).WillOnce(Return(reply));
  EXPECT_EQ(Run({"client", "list"}), ExitCode::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("no clients"));
}

TEST_F(ClientCommandsTest, AnUnknownSessionIsSaidSo) {
  const Error unknown(ErrorCode::kNotFound, "no client has session 8; it may have ended");
  EXPECT_CALL(api_, ShowClient(8)).WillOnce(Return(unknown));
  EXPECT_EQ(Run({"client", "show", "8"}), ExitCode::kFailed);
  EXPECT_EQ(err_.str(), "gabion: no client has session 8; it may have ended\n");
}

TEST_F(ClientCommandsTest, ASessionIsANumber) {
  for (const char* command : {"show", "evict"}) {
    EXPECT_EQ(Run({"client", command}), ExitCode::kUsage);
    EXPECT_EQ(Run({"client", command, "0"}), ExitCode::kUsage);
    EXPECT_EQ(Run({"client", command, "home"}), ExitCode::kUsage);
  }
}

TEST_F(ClientCommandsTest, EvictReturnsWhenItIsDoneAndSaysWhatItMeans) {
  WillEvict(proto::CLIENT_EVICTING);
  EXPECT_CALL(api_, ShowClient(7))
      .WillOnce(Return(Shown(proto::CLIENT_EVICTING)))
      .WillOnce(Return(Error(ErrorCode::kConnectionLost, "the metaserver is restarted")))
      .WillOnce(Return(Shown(proto::CLIENT_EVICTED)));
  EXPECT_EQ(Run({"client", "evict", "7"}), ExitCode::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("session 7 of volume 'home' is evicted"));
  EXPECT_THAT(out_.str(), HasSubstr("EIO"));
}

TEST_F(ClientCommandsTest, OneThatIsBackAlreadyIsEvictedAllTheSame) {
  WillEvict(proto::CLIENT_EVICTING);
  EXPECT_CALL(api_, ShowClient(7)).WillOnce(Return(Shown(proto::CLIENT_ACTIVE)));
  EXPECT_EQ(Run({"client", "evict", "7", "--json"}), ExitCode::kDone);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["state"], "active");
}

TEST_F(ClientCommandsTest, EvictDoesNotWaitIfTold) {
  WillEvict(proto::CLIENT_EVICTING);
  EXPECT_EQ(Run({"client", "evict", "7", "--no-wait"}), ExitCode::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("is being evicted"));
  EXPECT_THAT(out_.str(), HasSubstr("gabion client show 7"));
}

TEST_F(ClientCommandsTest, AnInterruptEndsOnlyTheWaiting) {
  WillEvict(proto::CLIENT_EVICTING);
  polls_until_interrupt_ = 1;
  EXPECT_EQ(Run({"client", "evict", "7"}), ExitCode::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("will be evicted all the same"));
}

TEST_F(ClientCommandsTest, ASessionThatEndsMeanwhileIsSaidSo) {
  WillEvict(proto::CLIENT_EVICTING);
  EXPECT_CALL(api_, ShowClient(7)).WillOnce(Return(Error(ErrorCode::kNotFound, "no client has session 7")));
  EXPECT_EQ(Run({"client", "evict", "7"}), ExitCode::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("no client has session 7"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("is evicted")));
}

}  // namespace
}  // namespace gabion
