#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>

#include "common/base/byte_units.h"
#include "common/coro/async_event.h"
#include "common/coro/task_group.h"
#include "common/rpc/frame_codec.h"
#include "common/rpc/handshake.h"
#include "common/rpc/rpc_client.h"
#include "common/rpc/rpc_server.h"
#include "tests/unit/common/rpc/loops.h"

namespace gabion {
namespace {

constexpr proto::Method kEcho = proto::METHOD_LOOKUP;
constexpr proto::Method kNever = proto::METHOD_GET_ATTR;  // answers when the test says so
constexpr proto::Method kRefuse = proto::METHOD_SET_ATTR;
constexpr proto::Method kWhere = proto::METHOD_OPEN;  // the loop that serves it
constexpr proto::Method kHuge = proto::METHOD_READ_DIR;

const Endpoint kLoopback{"127.0.0.1", 0};

Task<Result<RpcResponse>> Echo(RpcRequest request) {
  RpcResponse response;
  response.header = std::move(request.header);
  response.payload = std::move(request.payload);
  co_return response;
}

Task<Result<RpcResponse>> Refuse(RpcRequest request) {
  co_return Error(ErrorCode::kNoSpace, "full: " + request.header);
}

Task<Result<RpcResponse>> Where(RpcRequest request) {
  RpcResponse response;
  response.header = std::to_string(request.env->loop_index);
  co_return response;
}

Task<Result<RpcResponse>> Huge(RpcRequest) {
  RpcResponse response;
  response.header.assign(kMaxHeaderBytes + 1, 'x');
  co_return response;
}

/// A server with the methods above; kNever waits for `release`.
class TestServer {
 public:
  explicit TestServer(std::vector<Env*> loops, std::string host_id = "")
      : server_(std::move(loops), {proto::ROLE_METASERVER, std::move(host_id), 0}) {
    server_.Handle(kEcho, Echo);
    server_.Handle(kRefuse, Refuse);
    server_.Handle(kWhere, Where);
    server_.Handle(kHuge, Huge);
    server_.Handle(kNever, [this](RpcRequest) { return Never(); });
  }

  RpcServer& operator*() { return server_; }
  RpcServer* operator->() { return &server_; }

  AsyncEvent release;
  std::atomic<int> waiting = 0;

 private:
  Task<Result<RpcResponse>> Never() {
    ++waiting;
    co_await release.Wait();
    --waiting;
    co_return RpcResponse();
  }

  RpcServer server_;
};

TimePoint In(Env& env, std::int64_t ms) {
  return env.clock.Now() + std::chrono::milliseconds(ms);
}

Task<Result<RpcReply>> Call(RpcClient& client, Env& env, proto::Method method, std::string header,
                            std::int64_t limit_ms = 10'000) {
  Payload none;
  co_return co_await client.Call(method, std::move(header), std::move(none), In(env, limit_ms));
}

ErrorCode CodeOf(const Result<RpcReply>& reply) {
  return reply ? ErrorCode::kOk : reply.error().code();
}

class RpcTest : public testing::Test {
 protected:
  void Serve(unsigned loops = 1, std::string host_id = "") {
    loops_.emplace(loops);
    server_ = std::make_unique<TestServer>(loops_->all().envs(), std::move(host_id));
    ASSERT_TRUE((*server_)->Start(kLoopback));
    client_ = std::make_unique<RpcClient>(env(), (*server_)->endpoint(), Identity{proto::ROLE_CLIENT, "", 0});
  }

  void TearDown() override {
    if (server_) server_->release.Set();
    if (client_) loops_->Run(client_->Stop());
    if (server_) loops_->Run((*server_)->Stop());
  }

  Env& env() { return loops_->env(); }
  template <typename T>
  T Run(Task<T> task) {
    return loops_->Run(std::move(task));
  }

  std::optional<Loops> loops_;
  std::unique_ptr<TestServer> server_;
  std::unique_ptr<RpcClient> client_;
};

TEST_F(RpcTest, CarriesHeaderAndPayload) {
  Serve();
  Payload payload(Slice::CopyOf("one "));
  payload.Append(Slice::CopyOf("two"));
  Result<RpcReply> reply = Run(client_->Call(kEcho, "the header", payload, In(env(), 10'000)));
  ASSERT_TRUE(reply) << reply.error().ToString();
  EXPECT_EQ(reply->header, "the header");
  EXPECT_EQ(reply->payload.ToString(), "one two");
  EXPECT_EQ(client_->connection_count(), 1u);
}

TEST_F(RpcTest, CarriesErrorsWithTheirMessage) {
  Serve();
  Result<RpcReply> reply = Run(Call(*client_, env(), kRefuse, "disk 7"));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), ErrorCode::kNoSpace);
  EXPECT_EQ(reply.error().message(), "full: disk 7");
}

TEST_F(RpcTest, MessagesThatAreNotUtf8Arrive) {
  Serve();
  Result<RpcReply> reply = Run(Call(*client_, env(), kRefuse, "name \xff\xfe"));
  ASSERT_FALSE(reply);
  EXPECT_NE(reply.error().message().find("full: name ??"), std::string::npos) << reply.error().message();
}

TEST_F(RpcTest, UnknownMethodKeepsTheConnection) {
  Serve();
  EXPECT_EQ(CodeOf(Run(Call(*client_, env(), proto::METHOD_RENAME, ""))), ErrorCode::kUnknownMethod);
  EXPECT_EQ(CodeOf(Run(Call(*client_, env(), static_cast<proto::Method>(60'000), ""))), ErrorCode::kUnknownMethod);
  EXPECT_EQ(CodeOf(Run(Call(*client_, env(), kEcho, ""))), ErrorCode::kOk);
  EXPECT_EQ(client_->connection_count(), 1u);
}

TEST_F(RpcTest, OversizedReplyIsAnErrorOfThatCall) {
  Serve();
  EXPECT_EQ(CodeOf(Run(Call(*client_, env(), kHuge, ""))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(Run(Call(*client_, env(), kEcho, ""))), ErrorCode::kOk);
  EXPECT_EQ(client_->connection_count(), 1u);
}

TEST_F(RpcTest, OversizedRequestIsNotSent) {
  Serve();
  std::string header(kMaxHeaderBytes + 1, 'x');
  EXPECT_EQ(CodeOf(Run(Call(*client_, env(), kEcho, header))), ErrorCode::kInvalidArgument);
  MutableBuffer bytes(kMaxPayloadBytes + 1);
  Payload payload(std::move(bytes).Share());
  EXPECT_EQ(CodeOf(Run(client_->Call(kEcho, "", payload, In(env(), 10'000)))), ErrorCode::kInvalidArgument);
}

Task<bool> EchoPayload(RpcClient& client, Env& env, std::size_t size, unsigned seed) {
  MutableBuffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes.data()[i] = static_cast<std::byte>((i * 31 + seed) & 0xff);
  Slice sent = std::move(bytes).Share();
  Payload payload(sent);
  Result<RpcReply> reply = co_await client.Call(kEcho, std::to_string(seed), std::move(payload), In(env, 30'000));
  if (!reply || reply->payload.size() != size || reply->header != std::to_string(seed)) co_return false;
  Slice got = reply->payload.Joined();
  co_return std::equal(got.span().begin(), got.span().end(), sent.span().begin(), sent.span().end());
}

TEST_F(RpcTest, PayloadsOfEverySizeArriveWhole) {
  Serve();
  // Around the boundaries of the read buffer and of the frame.
  for (std::size_t size : {0ul, 1ul, 4096ul, 65494ul, 65495ul, 65496ul, 65497ul, 65535ul, 65536ul, 65537ul, 1000003ul,
                           static_cast<std::size_t>(kMaxPayloadBytes)}) {
    EXPECT_TRUE(Run(EchoPayload(*client_, env(), size, static_cast<unsigned>(size)))) << size;
  }
}

Task<void> CountGood(RpcClient& client, Env& env, std::size_t size, unsigned seed, int& good) {
  bool arrived = co_await EchoPayload(client, env, size, seed);
  if (arrived) ++good;
}

Task<int> EchoMany(RpcClient& client, Env& env, int count, std::size_t max_size) {
  TaskGroup group;
  int good = 0;
  for (int i = 0; i < count; ++i) {
    std::size_t size = static_cast<std::size_t>(i) * 7919 % (max_size + 1);
    group.Spawn(env.executor, CountGood(client, env, size, static_cast<unsigned>(i), good));
  }
  co_await group.Join();
  co_return good;
}

TEST_F(RpcTest, ManyCallsAtOnceEachGetTheirAnswer) {
  Serve();
  EXPECT_EQ(Run(EchoMany(*client_, env(), 2000, 100)), 2000);
  EXPECT_EQ(Run(EchoMany(*client_, env(), 300, 200'000)), 300);
  EXPECT_EQ(client_->connection_count(), 1u);
}

// More bytes in flight than either side's bounds: both sides stop reading now and then, and nothing gets stuck.
TEST_F(RpcTest, BackpressureDoesNotDeadlock) {
  Serve();
  EXPECT_EQ(Run(EchoMany(*client_, env(), 60, kMaxPayloadBytes)), 60);
}

TEST_F(RpcTest, DeadlineEndsTheCallAndNotTheConnection) {
  Serve();
  EXPECT_EQ(CodeOf(Run(Call(*client_, env(), kNever, "", 30))), ErrorCode::kDeadlineExceeded);
  server_->release.Set();  // the late answer meets nobody
  EXPECT_EQ(CodeOf(Run(Call(*client_, env(), kEcho, ""))), ErrorCode::kOk);
  EXPECT_EQ(CodeOf(Run(Call(*client_, env(), kEcho, "", 0))), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(client_->connection_count(), 1u);
}

Task<void> CallInto(RpcClient& client, Env& env, proto::Method method, std::int64_t limit_ms, ErrorCode& code) {
  Result<RpcReply> reply = co_await Call(client, env, method, "", limit_ms);
  code = CodeOf(reply);
}

Task<bool> ShortAfterLong(RpcClient& client, Env& env, AsyncEvent& release) {
  TaskGroup group;
  ErrorCode long_call = ErrorCode::kIo;
  group.Spawn(env.executor, CallInto(client, env, kNever, 60'000, long_call));
  Result<RpcReply> short_call = co_await Call(client, env, kNever, "", 30);
  release.Set();
  co_await group.Join();
  co_return CodeOf(short_call) == ErrorCode::kDeadlineExceeded&& long_call == ErrorCode::kOk;
}

TEST_F(RpcTest, ShorterDeadlineThatComesLaterIsKept) {
  Serve();
  EXPECT_TRUE(Run(ShortAfterLong(*client_, env(), server_->release)));
}

Task<int> Overload(RpcClient& client, Env& env, AsyncEvent& release) {
  TaskGroup group;
  std::vector<ErrorCode> codes(RpcClient::kMaxCallsInFlight + 10, ErrorCode::kIo);
  for (ErrorCode& code : codes) group.Spawn(env.executor, CallInto(client, env, kNever, 60'000, code));
  Result<RpcReply> one_more = co_await Call(client, env, kEcho, "");
  bool refused = CodeOf(one_more) == ErrorCode::kOverloaded;
  release.Set();
  co_await group.Join();
  int good = 0;
  for (ErrorCode code : codes) good += code == ErrorCode::kOk ? 1 : 0;
  co_return refused ? good : -1;
}

// More calls than the server runs at once (it stops reading), and more than the client takes (it says so).
TEST_F(RpcTest, CallsAreBoundedOnBothSides) {
  Serve();
  EXPECT_EQ(Run(Overload(*client_, env(), server_->release)), static_cast<int>(RpcClient::kMaxCallsInFlight));
}

TEST_F(RpcTest, NobodyListensIsUnavailable) {
  Serve();
  Endpoint endpoint = (*server_)->endpoint();
  Run((*server_)->Stop());
  server_.reset();
  RpcClient client(env(), endpoint, Identity{});
  Result<RpcReply> reply = Run(Call(client, env(), kEcho, "", 100));
  EXPECT_EQ(CodeOf(reply), ErrorCode::kUnavailable);
  EXPECT_EQ(client.connection_count(), 0u);
  Run(client.Stop());
}

TEST_F(RpcTest, CallsWaitForAServerThatComesBack) {
  Serve();
  ASSERT_EQ(CodeOf(Run(Call(*client_, env(), kEcho, ""))), ErrorCode::kOk);
  Endpoint endpoint = (*server_)->endpoint();
  Run((*server_)->Stop());
  server_.reset();
  // What was lost with the connection is not sent again, so the first call may say so; the next waits.
  Result<RpcReply> down = Run(Call(*client_, env(), kEcho, "", 50));
  EXPECT_TRUE(CodeOf(down) == ErrorCode::kUnavailable || CodeOf(down) == ErrorCode::kConnectionLost);
  server_ = std::make_unique<TestServer>(loops_->all().envs());
  ASSERT_TRUE((*server_)->Start(endpoint));
  EXPECT_EQ(CodeOf(Run(Call(*client_, env(), kEcho, ""))), ErrorCode::kOk);
  EXPECT_EQ(client_->connection_count(), 2u);
}

Task<ErrorCode> StopServerDuringCall(RpcClient& client, Env& env, TestServer& server) {
  TaskGroup group;
  ErrorCode code = ErrorCode::kOk;
  group.Spawn(env.executor, CallInto(client, env, kNever, 60'000, code));
  while (server.waiting == 0) co_await env.clock.SleepFor(std::chrono::milliseconds(1));
  TaskGroup stop;
  stop.Spawn(env.executor, server->Stop());
  co_await group.Join();  // the call ends although its handler has not
  server.release.Set();
  co_await stop.Join();
  co_return code;
}

TEST_F(RpcTest, ServerThatClosesInACallIsConnectionLost) {
  Serve();
  EXPECT_EQ(Run(StopServerDuringCall(*client_, env(), *server_)), ErrorCode::kConnectionLost);
}

Task<ErrorCode> StopClientDuringCall(RpcClient& client, Env& env, TestServer& server) {
  TaskGroup group;
  ErrorCode code = ErrorCode::kOk;
  group.Spawn(env.executor, CallInto(client, env, kNever, 60'000, code));
  while (server.waiting == 0) co_await env.clock.SleepFor(std::chrono::milliseconds(1));
  co_await client.Stop();
  co_await group.Join();
  co_return code;
}

Task<ErrorCode> CallAndHangUp(RpcClient& client, Env& env, TestServer& server, proto::Role role) {
  TaskGroup tasks;
  auto hang_up = [](Env& on, TestServer& from, proto::Role whom) -> Task<void> {
    while (from.waiting == 0) co_await on.clock.SleepFor(std::chrono::milliseconds(1));
    co_await from->HangUp(whom);
    co_await on.clock.SleepFor(std::chrono::milliseconds(20));
    from.release.Set();
  };
  tasks.Spawn(env.executor, hang_up(env, server, role));
  Result<RpcReply> reply = co_await Call(client, env, kNever, "");
  co_await tasks.Join();
  co_return CodeOf(reply);
}

TEST_F(RpcTest, HangUpClosesTheConnectionsOfThoseCallers) {
  for (const proto::Role role : {proto::ROLE_CHUNKSERVER, proto::ROLE_CLIENT}) {
    Serve(2);
    const bool is_meant = role == proto::ROLE_CLIENT;
    EXPECT_EQ(Run(CallAndHangUp(*client_, env(), *server_, role)),
              is_meant ? ErrorCode::kConnectionLost : ErrorCode::kOk);
    EXPECT_EQ(CodeOf(Run(Call(*client_, env(), kEcho, ""))), ErrorCode::kOk);
    EXPECT_EQ(client_->connection_count(), is_meant ? 2u : 1u);
    TearDown();
    client_.reset();
    server_.reset();
  }
}

TEST_F(RpcTest, StopCancelsCalls) {
  Serve();
  EXPECT_EQ(Run(StopClientDuringCall(*client_, env(), *server_)), ErrorCode::kCancelled);
  EXPECT_EQ(CodeOf(Run(Call(*client_, env(), kEcho, ""))), ErrorCode::kCancelled);
}

Task<std::map<std::string, int>> WhoServes(Env& env, Endpoint endpoint, Identity identity, int clients) {
  std::map<std::string, int> loops;
  for (int i = 0; i < clients; ++i) {
    RpcClient client(env, endpoint, identity);
    Result<RpcReply> reply = co_await Call(client, env, kWhere, "");
    if (reply) ++loops[reply->header];
    co_await client.Stop();
  }
  co_return loops;
}

TEST_F(RpcTest, OtherHostsGoRoundTheLoops) {
  Serve(3, "this host");
  std::map<std::string, int> expected = {{"0", 2}, {"1", 2}, {"2", 2}};
  Identity elsewhere{proto::ROLE_CLIENT, "another host", 0};
  EXPECT_EQ(Run(WhoServes(env(), (*server_)->endpoint(), elsewhere, 6)), expected);
}

TEST_F(RpcTest, SameHostStaysOnItsCpu) {
  Serve(1);
  std::vector<Env> pinned;
  Loops loops(3);
  std::vector<Env*> envs;
  for (std::size_t i = 0; i < 3; ++i) pinned.push_back(loops.env(i));
  for (std::size_t i = 0; i < 3; ++i) pinned[i].cpu = static_cast<int>(i);
  for (Env& one : pinned) envs.push_back(&one);
  TestServer server(envs, "this host");
  ASSERT_TRUE(server->Start(kLoopback));
  Identity here{proto::ROLE_CLIENT, "this host", 0};
  for (std::size_t i = 0; i < 3; ++i) {
    std::map<std::string, int> expected = {{std::to_string(i), 3}};
    EXPECT_EQ(loops.Run(WhoServes(pinned[i], server->endpoint(), here, 3), i), expected);
  }
  server.release.Set();
  loops.Run(server->Stop());
}

Task<bool> Stopped(RpcClient& client) {
  co_await client.Stop();
  co_return true;
}

TEST_F(RpcTest, LoopsServeAtTheSameTime) {
  Serve(4);
  std::vector<std::unique_ptr<RpcClient>> clients;
  std::vector<std::future<int>> results;
  for (std::size_t i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<RpcClient>(loops_->env(i % 4), (*server_)->endpoint(), Identity{}));
  }
  for (std::size_t i = 0; i < 8; ++i) {
    results.push_back(std::async(std::launch::async, [this, &client = *clients[i], i] {
      return loops_->Run(EchoMany(client, loops_->env(i % 4), 300, 5000), i % 4);
    }));
  }
  for (auto& result : results) EXPECT_EQ(result.get(), 300);
  for (std::size_t i = 0; i < 8; ++i) loops_->Run(Stopped(*clients[i]), i % 4);
}

}  // namespace
}  // namespace gabion
