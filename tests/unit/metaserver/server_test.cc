// The whole metaserver behind its port.
#include "metaserver/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/env/sim/sim_world.h"
#include "common/rpc/rpc_client.h"
#include "proto/admin.pb.h"
#include "proto/meta.pb.h"

namespace gabion {
namespace {

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    Start();
    client_ =
        std::make_unique<RpcClient>(client_machine_.env(), Endpoint{"meta", 9470}, Identity{proto::ROLE_CLIENT, "", 0});
  }
  ~ServerTest() override {
    world_.RunUntilDone(StopClient());
    Stop();
  }

  void Start() {
    MetaServerOptions options;
    options.listen = {"meta", 9470};
    server_ = std::make_unique<MetaServer>(machine_.envs(), machine_.kv("store"), options);
    CHECK(world_.RunUntilDone(server_->Start()).has_value());
  }
  void Stop() {
    world_.RunUntilDone(server_->Stop());
    server_.reset();
  }
  Task<void> StopClient() { co_await client_->Stop(); }

  template <typename Reply, typename Request>
  static Task<Result<Reply>> CallOnce(RpcClient& client, Env& env, proto::Method method, Request request) {
    Payload none;
    const TimePoint deadline = env.clock.Now() + std::chrono::seconds(10);
    auto reply = co_await CallTyped<Reply>(client, method, request, std::move(none), deadline);
    if (!reply) co_return reply.error();
    co_return std::move(reply->message);
  }
  template <typename Reply, typename Request>
  Result<Reply> Call(proto::Method method, Request request) {
    // A connection to a server that was killed is lost with the first call over it.
    Result<Reply> reply = world_.RunUntilDone(CallOnce<Reply>(*client_, client_machine_.env(), method, request));
    if (reply || reply.error().code() != ErrorCode::kConnectionLost) return reply;
    return world_.RunUntilDone(CallOnce<Reply>(*client_, client_machine_.env(), method, std::move(request)));
  }

  SimWorld world_{1};
  SimMachine& machine_ = world_.AddMachine("meta", 2);
  SimMachine& client_machine_ = world_.AddMachine("client");
  std::unique_ptr<MetaServer> server_;
  std::unique_ptr<RpcClient> client_;
};

TEST_F(ServerTest, ServesEveryMethodOfItsRole) {
  for (int number = 1; number < 400; ++number) {
    if (!proto::Method_IsValid(number) || (number >= 100 && number < 200)) continue;
    const auto method = static_cast<proto::Method>(number);
    // An empty message is a request of every type: what matters is that somebody answers it.
    const Result<proto::ReleaseReply> reply = Call<proto::ReleaseReply>(method, proto::ReleaseReply());
    if (!reply) {
      EXPECT_NE(reply.error().code(), ErrorCode::kUnknownMethod) << proto::Method_Name(method);
    }
  }
  EXPECT_EQ(Call<proto::ReleaseReply>(proto::METHOD_READ_CHUNK, proto::ReleaseReply()).error().code(),
            ErrorCode::kUnknownMethod);
}

TEST_F(ServerTest, KeepsTheNamespaceOverARestart) {
  proto::VolumeCreateRequest create;
  create.set_name("home");
  create.set_replicas(1);
  ASSERT_TRUE((Call<proto::VolumeCreateReply>(proto::METHOD_VOLUME_CREATE, create).has_value()));
  proto::OpenSessionRequest open;
  open.set_volume("home");
  const Result<proto::OpenSessionReply> session = Call<proto::OpenSessionReply>(proto::METHOD_OPEN_SESSION, open);
  ASSERT_TRUE(session.has_value());
  proto::CreateRequest make;
  make.mutable_op()->set_volume_id(session->volume_id());
  make.mutable_op()->set_session_id(session->session_id());
  make.mutable_op()->set_seq(1);
  make.set_parent(session->root_ino());
  make.set_name("d");
  make.set_mode(040755);
  make.set_ino(session->inos().first());
  ASSERT_TRUE((Call<proto::CreateReply>(proto::METHOD_CREATE, make).has_value()));
  proto::SyncMetaRequest sync;
  *sync.mutable_op() = make.op();
  EXPECT_TRUE((Call<proto::SyncMetaReply>(proto::METHOD_SYNC_META, sync).has_value()));

  machine_.KillProcess();
  Stop();
  Start();
  const Result<proto::CreateReply> again = Call<proto::CreateReply>(proto::METHOD_CREATE, make);
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(again->created());
  proto::LookupRequest lookup;
  *lookup.mutable_op() = make.op();
  lookup.set_parent(session->root_ino());
  lookup.set_name("d");
  EXPECT_EQ((Call<proto::LookupReply>(proto::METHOD_LOOKUP, lookup)->attr().ino()), make.ino());
  world_.RunFor(std::chrono::seconds(5));  // the duties run beside
  EXPECT_TRUE((Call<proto::AdminStatusReply>(proto::METHOD_ADMIN_STATUS, proto::AdminStatusRequest()).has_value()));
}

TEST_F(ServerTest, AnswersMalformedRequests) {
  proto::ReadLinkReply nonsense;
  nonsense.set_target(std::string("\xff\xff\xff", 3));  // field 1 is a message in every request
  EXPECT_EQ(Call<proto::LookupReply>(proto::METHOD_LOOKUP, nonsense).error().code(), ErrorCode::kProtocol);
  EXPECT_EQ(Call<proto::LookupReply>(proto::METHOD_LOOKUP, proto::LookupRequest()).error().code(),
            ErrorCode::kSessionExpired);
}

}  // namespace
}  // namespace gabion
