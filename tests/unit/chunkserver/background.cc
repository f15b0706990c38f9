#include "tests/unit/chunkserver/background.h"

#include <asio/co_spawn.hpp>

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Env& TestEnv(TestCluster& cluster) {
  return cluster.world().machine("test").env();
}

void Spawn(TestCluster& cluster, Task<void> task) {
  asio::co_spawn(TestEnv(cluster).executor, std::move(task),
                 [](std::exception_ptr thrown) { CHECK(thrown == nullptr); });
}

Identity IdentityOf(std::uint64_t server) {
  return server == 0 ? Identity{proto::ROLE_CLIENT, "", 0} : Identity{proto::ROLE_CHUNKSERVER, "", server};
}

}  // namespace

BackgroundCall::BackgroundCall(TestCluster& cluster, int server, proto::Method method, std::string header,
                               std::string payload, Duration limit, std::uint64_t role_number, std::nullptr_t)
    : cluster_(cluster), client_(TestEnv(cluster), ServerEndpoint(server), IdentityOf(role_number)) {
  Payload bytes;
  if (!payload.empty()) bytes = Payload(Slice::CopyOf(payload));
  Spawn(cluster_, Run(*this, method, std::move(header), std::move(bytes), cluster.In(limit)));
}

BackgroundCall::~BackgroundCall() {
  Wait();
  cluster_.world().RunUntilDone(client_.Stop());
}

Task<void> BackgroundCall::Run(BackgroundCall& call, proto::Method method, std::string header, Payload payload,
                               TimePoint deadline) {
  Result<RpcReply> reply = co_await call.client_.Call(method, std::move(header), std::move(payload), deadline);
  call.outcome_ = reply ? ErrorCode::kOk : reply.error().code();
}

ErrorCode BackgroundCall::Wait() {
  CHECK(cluster_.world().RunUntil([this] { return done(); }));
  return *outcome_;
}

SteadyWriter::SteadyWriter(TestCluster& cluster, std::uint64_t chunks, Duration pause)
    : cluster_(cluster), chunks_(chunks), pause_(pause), random_(cluster.world().seed()) {
  Spawn(cluster_, Run(*this));
}

void SteadyWriter::Stop() {
  stop_ = true;
  CHECK(cluster_.world().RunUntil([this] { return stopped_; }));
  for (auto& [server, client] : clients_) cluster_.world().RunUntilDone(client->Stop());
}

RpcClient& SteadyWriter::Client(int server) {
  auto& found = clients_[server];
  if (found == nullptr) found = std::make_unique<RpcClient>(TestEnv(cluster_), ServerEndpoint(server), IdentityOf(0));
  return *found;
}

Task<void> SteadyWriter::Run(SteadyWriter& writer) {
  while (!writer.stop_) {
    co_await writer.WriteOne();
    co_await TestEnv(writer.cluster_).clock.SleepFor(writer.pause_);
  }
  writer.stopped_ = true;
}

Task<void> SteadyWriter::WriteOne() {
  std::uint64_t chunk = 1 + random_.Below(chunks_);
  auto offset = static_cast<std::uint32_t>(random_.Below(kChunkPart - 20'000));
  std::string bytes = Pattern(1 + random_.Below(20'000), static_cast<std::uint64_t>(written_) + 1000);
  for (;;) {
    proto::WriteChunkRequest request = cluster_.WriteRequest(chunk, offset, bytes);
    RpcClient& client = Client(cluster_.primary());
    auto reply = co_await TestCluster::CallTask<proto::WriteChunkReply>(client, proto::METHOD_WRITE_CHUNK, request,
                                                                        bytes, cluster_.In(seconds(3)));
    if (reply) break;
    CHECK(IsRetryable(reply.error().code()));
    co_await TestEnv(cluster_).clock.SleepFor(milliseconds(20));
  }
  std::string& expected = expected_[chunk];
  expected.resize(std::max(expected.size(), offset + bytes.size()));
  expected.replace(offset, bytes.size(), bytes);
  ++written_;
}

void SteadyWriter::ExpectIn(int server) {
  for (const auto& [chunk, bytes] : expected_) {
    auto rounded = static_cast<std::uint32_t>(RoundUp(bytes.size(), kBlockBytes));
    std::string read;
    if (server == 0) {
      read = cluster_.ReadAll(chunk, 0, rounded);
    } else {
      Result<std::string> answer = cluster_.ReadSoon(server, chunk, 0, rounded);
      ASSERT_TRUE(answer.has_value()) << answer.error().ToString();
      read = *answer;
    }
    ASSERT_GE(read.size(), bytes.size()) << "chunk " << chunk;
    EXPECT_TRUE(read.substr(0, bytes.size()) == bytes) << "chunk " << chunk;
  }
}

SteadyReader::SteadyReader(TestCluster& cluster, int server, std::uint64_t chunk, Duration pause)
    : cluster_(cluster), pause_(pause), client_(TestEnv(cluster), ServerEndpoint(server), IdentityOf(0)) {
  proto::ReadChunkRequest request;
  *request.mutable_target() = cluster.Target(chunk);
  request.set_length_bytes(kBlockBytes);
  Spawn(cluster_, Run(*this, request));
}

void SteadyReader::Stop() {
  stop_ = true;
  CHECK(cluster_.world().RunUntil([this] { return stopped_; }));
  cluster_.world().RunUntilDone(client_.Stop());
}

Task<void> SteadyReader::Run(SteadyReader& reader, proto::ReadChunkRequest request) {
  while (!reader.stop_) {
    auto reply = co_await TestCluster::CallTask<proto::ReadChunkReply>(reader.client_, proto::METHOD_READ_CHUNK,
                                                                       request, "", reader.cluster_.In(seconds(2)));
    if (reply) {
      std::string block = reply->payload.ToString();
      reader.seen_.insert(block.substr(0, block.find('\0')));
      ++reader.answers_;
    }
    co_await TestEnv(reader.cluster_).clock.SleepFor(reader.pause_);
  }
  reader.stopped_ = true;
}

}  // namespace gabion
