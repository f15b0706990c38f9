// What comes to a server's port from those who do not speak its protocol, or speak it wrongly: it ends their own
// connection, and nobody else notices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/coro/task_group.h"
#include "common/env/sim/sim_world.h"
#include "common/rpc/frame_codec.h"
#include "common/rpc/handshake.h"
#include "common/rpc/rpc_client.h"
#include "common/rpc/rpc_server.h"
#include "tests/unit/common/rpc/loops.h"

namespace gabion {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using Tcp = asio::ip::tcp;

constexpr proto::Method kEcho = proto::METHOD_LOOKUP;

Task<Result<RpcResponse>> Echo(RpcRequest request) {
  RpcResponse response;
  response.header = std::move(request.header);
  co_return response;
}

std::string Encode(const Frame& frame) {
  const FrameHeadBytes head = EncodeFrameHead(frame);
  return std::string(reinterpret_cast<const char*>(head.data()), head.size()) + frame.header + frame.payload.ToString();
}

Task<Result<RpcReply>> CallEcho(RpcClient& client, Env& env, std::string header) {
  Payload none;
  co_return co_await client.Call(kEcho, std::move(header), std::move(none), env.clock.Now() + seconds(10));
}

class HostilePeerTest : public testing::Test {
 protected:
  void SetUp() override {
    server_.Handle(kEcho, Echo);
    ASSERT_TRUE(server_.Start({"127.0.0.1", 0}));
    client_ = std::make_unique<RpcClient>(loops_.env(), server_.endpoint(), Identity{proto::ROLE_CLIENT, "", 0});
    ExpectOthersUnhurt();
  }
  void TearDown() override {
    ExpectOthersUnhurt();
    EXPECT_EQ(client_->connection_count(), 1u) << "the good client's connection lived through it";
    loops_.Run(client_->Stop());
    loops_.Run(server_.Stop());
  }

  void ExpectOthersUnhurt() {
    const Result<RpcReply> reply = loops_.Run(CallEcho(*client_, loops_.env(), "still there"));
    ASSERT_TRUE(reply) << reply.error().ToString();
    EXPECT_EQ(reply->header, "still there");
  }

  Tcp::socket Connect() {
    Tcp::socket socket(io_);
    socket.connect({asio::ip::make_address("127.0.0.1"), server_.endpoint().port});
    return socket;
  }
  /// Reads until the server closes; a close with unread input is a reset.
  static std::string ReadToEnd(Tcp::socket& socket) {
    std::string text;
    asio::error_code ended;
    asio::read(socket, asio::dynamic_buffer(text), ended);
    EXPECT_TRUE(ended == asio::error::eof || ended == asio::error::connection_reset) << ended.message();
    return text;
  }
  static void Write(Tcp::socket& socket, const std::string& bytes) { asio::write(socket, asio::buffer(bytes)); }
  /// As far as hello and its answer.
  Tcp::socket Greeted() {
    Tcp::socket socket = Connect();
    Write(socket, Encode(MakeHello({proto::ROLE_CLIENT, "", 0}, kNoCpu)));
    std::string head(kFrameHeadBytes, '\0');
    asio::read(socket, asio::buffer(head));
    const std::span<const std::byte, kFrameHeadBytes> bytes(reinterpret_cast<const std::byte*>(head.data()),
                                                            kFrameHeadBytes);
    const Result<FrameHead> decoded = DecodeFrameHead(bytes);
    EXPECT_TRUE(decoded && decoded->kind == FrameKind::kHelloReply);
    std::string header(decoded->header_bytes, '\0');
    asio::read(socket, asio::buffer(header));
    return socket;
  }

  Loops loops_{2};
  RpcServer server_{loops_.all().envs(), {proto::ROLE_METASERVER, "", 0}};
  std::unique_ptr<RpcClient> client_;
  asio::io_context io_;
};

TEST_F(HostilePeerTest, AnotherProtocolIsClosedWithOneLogLine) {
  testing::internal::CaptureStderr();
  Tcp::socket socket = Connect();
  Write(socket, "GET / HTTP/1.1\r\nHost: gabion.example\r\nUser-Agent: browser\r\n\r\n");
  EXPECT_EQ(ReadToEnd(socket), "");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_THAT(log, testing::AllOf(HasSubstr("127.0.0.1:"), HasSubstr("does not speak Gabion's protocol")));
}

TEST_F(HostilePeerTest, RequestWithoutHelloIsClosed) {
  Tcp::socket socket = Connect();
  Frame request;
  request.method = kEcho;
  Write(socket, Encode(request));
  EXPECT_EQ(ReadToEnd(socket), "");
}

TEST_F(HostilePeerTest, GarbageAfterTheHelloIsClosedWithOneLogLine) {
  testing::internal::CaptureStderr();
  Tcp::socket socket = Greeted();
  Write(socket, std::string(1000, '\xa5'));
  EXPECT_EQ(ReadToEnd(socket), "");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_THAT(log, HasSubstr("closing the connection of 127.0.0.1:"));
}

TEST_F(HostilePeerTest, FrameOfTheWrongKindIsClosed) {
  for (const FrameKind kind : {FrameKind::kHello, FrameKind::kHelloReply, FrameKind::kResponse}) {
    Tcp::socket socket = Greeted();
    Frame frame;
    frame.kind = kind;
    Write(socket, Encode(frame));
    EXPECT_EQ(ReadToEnd(socket), "");
  }
}

TEST_F(HostilePeerTest, RequestThatEndsInTheMiddleIsForgotten) {
  Frame request;
  request.method = kEcho;
  request.header.assign(100'000, 'x');
  Tcp::socket socket = Greeted();
  Write(socket, Encode(request).substr(0, 1000));
  socket.close();
}

TEST_F(HostilePeerTest, VersionsWithoutCommonOneAreToldSo) {
  proto::Hello hello;
  hello.set_min_version(1000);
  hello.set_max_version(1001);
  hello.set_software("gabion 99");
  Frame frame;
  frame.kind = FrameKind::kHello;
  frame.header = hello.SerializeAsString();
  Tcp::socket socket = Connect();
  Write(socket, Encode(frame));
  // The server waits for us to go, so that its answer is not lost with the connection.
  std::string head(kFrameHeadBytes, '\0');
  asio::read(socket, asio::buffer(head));
  const std::span<const std::byte, kFrameHeadBytes> bytes(reinterpret_cast<const std::byte*>(head.data()),
                                                          kFrameHeadBytes);
  const Result<FrameHead> decoded = DecodeFrameHead(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->kind, FrameKind::kHelloReply);
  EXPECT_EQ(decoded->status, ErrorCode::kVersionMismatch);
}

TEST_F(HostilePeerTest, ManyWhoSayNothingKeepNobodyOut) {
  std::vector<Tcp::socket> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(Connect());
  RpcClient another(loops_.env(), server_.endpoint(), Identity{});
  const Result<RpcReply> reply = loops_.Run(CallEcho(another, loops_.env(), "hello"));
  EXPECT_TRUE(reply);
  loops_.Run(another.Stop());
}

// In virtual time, for the patience of a server is seconds.
class SilentPeerTest : public testing::Test {
 protected:
  SilentPeerTest() {
    server_.Handle(kEcho, Echo);
    CHECK(server_.Start({"server", 1000}).has_value());
  }
  ~SilentPeerTest() override { world_.RunUntilDone(server_.Stop()); }

  SimWorld world_{1};
  SimMachine& machine_ = world_.AddMachine("server");
  SimMachine& peer_ = world_.AddMachine("peer");
  RpcServer server_{{&machine_.env()}, {proto::ROLE_METASERVER, "", 0}};
};

Task<Duration> TimeUntilClosed(Env& env) {
  const TimePoint start = env.clock.Now();
  Endpoint server{"server", 1000};
  Result<std::unique_ptr<Connection>> connection =
      co_await env.transport.Connect(std::move(server), start + seconds(10));
  CHECK(connection.has_value());
  const Result<Frame> frame = co_await (*connection)->Receive();
  CHECK(!frame.has_value());
  co_return env.clock.Now() - start;
}

TEST_F(SilentPeerTest, WhoSaysNoHelloIsClosedAfterFiveSeconds) {
  const Duration waited = world_.RunUntilDone(TimeUntilClosed(peer_.env()));
  EXPECT_GE(waited, seconds(5));
  EXPECT_LT(waited, seconds(6));
}

/// Takes connections and never says anything.
Task<void> AcceptAndKeep(Listener& listener, std::vector<std::unique_ptr<Connection>>& kept) {
  for (;;) {
    Result<std::unique_ptr<Connection>> connection = co_await listener.Accept();
    if (!connection) co_return;
    kept.push_back(std::move(*connection));
  }
}

Task<ErrorCode> CallTheMute(Env& env, std::vector<std::unique_ptr<Connection>>& kept) {
  Result<std::unique_ptr<Listener>> listener = env.transport.Listen({"peer", 2000});
  CHECK(listener.has_value());
  TaskGroup tasks;
  tasks.Spawn(env.executor, AcceptAndKeep(**listener, kept));
  RpcClient client(env, {"peer", 2000}, Identity{});
  const Result<RpcReply> reply = co_await CallEcho(client, env, "");
  co_await client.Stop();
  (*listener)->Close();
  co_await tasks.Join();
  co_return reply.has_value() ? ErrorCode::kOk : reply.error().code();
}

TEST_F(SilentPeerTest, ServerThatSaysNoHelloIsUnavailableAndTriedAgain) {
  std::vector<std::unique_ptr<Connection>> kept;
  EXPECT_EQ(world_.RunUntilDone(CallTheMute(peer_.env(), kept)), ErrorCode::kUnavailable);
  EXPECT_GE(kept.size(), 3u);
}

}  // namespace
}  // namespace gabion
