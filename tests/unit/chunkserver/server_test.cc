// Three chunkservers on real sockets, disks and threads, with calls from several loops at once.
#include "chunkserver/server.h"

#include "common/base/checksum.h"
#include "common/coro/task_group.h"
#include "common/env/real/real_disk.h"
#include "common/env/real/rocksdb_kv.h"
#include "common/env/sim/sim_random.h"
#include "tests/contract/bench.h"
#include "tests/unit/chunkserver/test_cluster.h"
#include "tests/unit/common/rpc/loops.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kChunks = 4;
constexpr std::uint32_t kChunkPart = 256 * 1024;  // that is written to

/// A chunkserver with two loops and one disk.
struct RealServer {
  RealServer(const std::filesystem::path& directory, int number, Endpoint metaserver) {
    std::filesystem::create_directories(directory / "slabs");
    Result<std::unique_ptr<Disk>> opened = OpenRealDisk(directory / "slabs", pool);
    CHECK(opened.has_value());
    disk = std::move(*opened);
    Result<std::unique_ptr<RocksKv>> kv = RocksKv::Open(directory / "index", RocksKvOptions());
    CHECK(kv.has_value());
    index = std::move(*kv);
    ChunkServerOptions options;
    options.metaserver = std::move(metaserver);
    options.server_uuid = "cs" + std::to_string(number);
    options.slab_bytes = 64 * kMiB;
    options.heartbeat = milliseconds(100);
    std::vector<DiskSeat> seats;
    seats.push_back({directory.string(), *disk, *index});
    server = std::make_unique<ChunkServer>(loops.all().envs(), std::move(seats), std::move(options));
    Result<void> started = loops.Run(server->Start());
    CHECK(started.has_value());
  }
  ~RealServer() { loops.Run(server->Stop()); }

  Loops loops{2};
  BlockingPool pool{2};
  std::unique_ptr<Disk> disk;
  std::unique_ptr<RocksKv> index;
  std::unique_ptr<ChunkServer> server;
};

proto::ChunkTarget TargetOf(std::uint64_t chunk) {
  proto::ChunkTarget target;
  target.set_pg_id(1);
  target.set_epoch(1);
  target.set_chunk_id(chunk);
  return target;
}

/// Repeats what fails for the moment, as clients do: the servers may not all have registered yet.
template <typename Reply, typename Request>
Task<Result<TypedReply<Reply>>> CallUntilServed(Env& env, RpcClient& client, proto::Method method, Request request,
                                                Payload payload, int attempts = 300) {
  for (int attempt = 0;; ++attempt) {
    Payload copy = payload;
    Result<TypedReply<Reply>> reply =
        co_await CallTyped<Reply>(client, method, request, std::move(copy), env.clock.Now() + seconds(20));
    if (reply || !IsRetryable(reply.error().code()) || attempt == attempts) co_return reply;
    co_await env.clock.SleepFor(milliseconds(100));
  }
}

struct Tally {
  int calls = 0;
  int failures = 0;
};

/// Writes, reads and syncs at random places of a few chunks.
Task<void> WorkOn(Env& env, std::vector<Endpoint> servers, std::uint64_t seed, Tally* tally) {
  SimRandom random(seed);
  std::vector<std::unique_ptr<RpcClient>> clients;
  for (Endpoint& server : servers) {
    clients.push_back(std::make_unique<RpcClient>(env, std::move(server), Identity{proto::ROLE_CLIENT, "", 0}));
  }
  for (std::uint64_t i = 0; i < 60; ++i, ++tally->calls) {
    std::uint64_t chunk = 1 + random.Below(kChunks);
    auto offset = static_cast<std::uint32_t>(random.Below(kChunkPart - 70'000));
    if (i % 4 == 3) {
      proto::ReadChunkRequest request;
      *request.mutable_target() = TargetOf(chunk);
      request.set_offset_bytes(static_cast<std::uint32_t>(RoundDown(offset, kBlockBytes)));
      request.set_length_bytes(65536);
      // A member that has not heard yet that the chunk is the same everywhere sends its callers to the primary.
      Payload none;
      auto reply = co_await CallUntilServed<proto::ReadChunkReply>(
          env, *clients[i % clients.size()], proto::METHOD_READ_CHUNK, request, std::move(none), 0);
      if (reply) continue;
      Payload nothing;
      reply = co_await CallUntilServed<proto::ReadChunkReply>(env, *clients[0], proto::METHOD_READ_CHUNK, request,
                                                              std::move(nothing));
      if (!reply) ++tally->failures;
      continue;
    }
    if (i % 20 == 10) {
      proto::SyncChunksRequest request;
      *request.add_targets() = TargetOf(chunk);
      Payload none;
      auto reply = co_await CallUntilServed<proto::SyncChunksReply>(env, *clients[0], proto::METHOD_SYNC_CHUNKS,
                                                                    request, std::move(none));
      if (!reply) ++tally->failures;
      continue;
    }
    std::string bytes = Pattern(1 + random.Below(70'000), seed * 1000 + i);
    proto::WriteChunkRequest request;
    *request.mutable_target() = TargetOf(chunk);
    request.set_offset_bytes(offset);
    std::vector<BlockChecksum> checksums = PieceChecksums(offset, std::as_bytes(std::span(bytes)));
    request.mutable_checksums()->Assign(checksums.begin(), checksums.end());
    request.set_sync(random.Chance(1, 4));
    Payload payload(Slice::CopyOf(bytes));
    auto reply = co_await CallUntilServed<proto::WriteChunkReply>(env, *clients[0], proto::METHOD_WRITE_CHUNK, request,
                                                                  std::move(payload));
    if (!reply) ++tally->failures;
  }
  for (auto& client : clients) co_await client->Stop();
}

Task<std::string> ReadWhole(Env& env, Endpoint server, std::uint64_t chunk) {
  RpcClient client(env, std::move(server), Identity{proto::ROLE_CLIENT, "", 0});
  proto::ReadChunkRequest request;
  *request.mutable_target() = TargetOf(chunk);
  request.set_length_bytes(kChunkPart);
  Payload none;
  auto reply =
      co_await CallUntilServed<proto::ReadChunkReply>(env, client, proto::METHOD_READ_CHUNK, request, std::move(none));
  std::string bytes = reply ? reply->payload.ToString() : reply.error().ToString();
  co_await client.Stop();
  co_return bytes;
}

TEST(ChunkServerTest, ReplicasAreEqualAfterConcurrentWork) {
  TempDir directory;
  Loops loops(3);
  FakeMetaserver metaserver(loops.env(0));
  loops.Run([](FakeMetaserver* started) -> Task<void> {
    started->Start({"127.0.0.1", 0});
    co_return;
  }(&metaserver));
  {
    std::vector<std::unique_ptr<RealServer>> servers;
    std::vector<Endpoint> endpoints;
    for (int number = 1; number <= 3; ++number) {
      servers.push_back(
          std::make_unique<RealServer>(directory.path() / std::to_string(number), number, metaserver.endpoint()));
      endpoints.push_back(servers.back()->server->endpoint());
    }
    constexpr std::uint64_t kWorkers = 6;
    std::vector<Tally> tallies(kWorkers);
    TaskGroup work;
    for (std::uint64_t i = 0; i < kWorkers; ++i) {
      Env& env = loops.env(1 + i % 2);
      work.Spawn(env.executor, WorkOn(env, endpoints, i + 1, &tallies[i]));
    }
    loops.Run(work.Join());
    for (const Tally& tally : tallies) {
      EXPECT_EQ(tally.calls, 60);
      EXPECT_EQ(tally.failures, 0);
    }
    for (std::uint64_t chunk = 1; chunk <= kChunks; ++chunk) {
      std::string first = loops.Run(ReadWhole(loops.env(), endpoints[0], chunk));
      EXPECT_GT(first.size(), 100'000u);
      for (std::size_t other = 1; other < 3; ++other) {
        EXPECT_TRUE(loops.Run(ReadWhole(loops.env(), endpoints[other], chunk)) == first) << "chunk " << chunk;
      }
    }
  }
  loops.Run(metaserver.Stop());
}

}  // namespace
}  // namespace gabion
