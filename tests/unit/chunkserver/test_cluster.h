#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "chunkserver/server.h"
#include "common/base/byte_units.h"
#include "common/env/sim/sim_world.h"
#include "common/rpc/rpc_client.h"
#include "common/rpc/rpc_server.h"
#include "proto/cluster.pb.h"
#include "proto/data.pb.h"
#include "tests/unit/code_of.h"

namespace gabion {

/// Answers chunkservers as the test wants. Server "csN" has id N.
///
/// It decides nothing but this: a server that was restarted begins a new epoch for its placement groups.
class FakeMetaserver {
 public:
  explicit FakeMetaserver(Env& env);

  void Start(Endpoint endpoint);
  Endpoint endpoint() const { return rpc_.endpoint(); }
  Task<void> Stop() { return rpc_.Stop(); }

  proto::PgEntry& pg() { return *map_.mutable_pgs(0); }
  const proto::PgEntry& pg() const { return map_.pgs(0); }
  void AddPg(proto::PgEntry pg) { *map_.add_pgs() = std::move(pg); }
  /// What was changed is in the next answers.
  void MapChanged() { map_.set_version(map_.version() + 1); }
  /// A new epoch, in which these are in sync, the first of them as the primary, and nobody joins.
  void Elect(const std::vector<std::uint32_t>& in_sync);
  /// A new epoch, in which `server` joins as well. It was in sync up to `since`, or never.
  void LetJoin(std::uint32_t server, std::uint32_t since);

  bool away = false;     // refuses everything
  bool forgets = false;  // knows no server until it registers again
  std::uint32_t lease_ms = 5000;
  std::map<std::uint32_t, std::set<std::uint64_t>> garbage;
  std::map<std::uint32_t, proto::PgRelease> releases;           // what each is asked to release
  std::vector<proto::SessionFence> fences;                      // what all are asked to refuse
  std::map<std::uint32_t, proto::HeartbeatRequest> heartbeats;  // the last one of each
  std::map<std::uint32_t, std::uint64_t> scrub_rounds;          // the wish that is open for each; 0: none
  std::map<std::uint32_t, int> registrations;

 private:
  Task<Result<proto::RegisterServerReply>> Register(proto::RegisterServerRequest request);
  Task<Result<proto::HeartbeatReply>> Heartbeat(proto::HeartbeatRequest request);

  void NoteIncarnation(std::uint32_t id, std::uint64_t incarnation);

  RpcServer rpc_;
  proto::ClusterMap map_;
  std::map<std::uint32_t, std::uint64_t> incarnations_;
};

/// Three chunkservers of one placement group, number 1, whose primary is server 1 at first; and a client.
class TestCluster {
 public:
  struct Setup {
    std::uint64_t seed = 1;
    unsigned disks = 1;
    std::uint64_t slab_bytes = 16 * kMiB;
    bool start = true;
    Duration scrub_interval{0};
  };

  explicit TestCluster(Setup setup);
  TestCluster() : TestCluster(Setup()) {}
  ~TestCluster();

  SimWorld& world() { return world_; }
  FakeMetaserver& metaserver() { return metaserver_; }
  SimMachine& machine(int server) { return *machines_[static_cast<std::size_t>(server - 1)]; }
  SimPlatter& platter(int server, unsigned disk = 0) { return machine(server).disk(DiskName(disk)).platter(); }

  /// With all its disks, or those given. Returns when it has a lease.
  void StartServer(int server);
  Result<void> TryStartServer(int server, std::vector<unsigned> disks);
  void StopServer(int server);
  void Kill(int server);
  void LosePower(int server);
  bool WaitForLease(int server);
  int primary() const { return static_cast<int>(metaserver_.pg().primary()); }
  /// Returns when the primary has settled the present epoch, and serves.
  void WaitUntilServed();
  /// As FakeMetaserver's; returns when the epoch is served.
  void Elect(const std::vector<std::uint32_t>& in_sync);
  /// As FakeMetaserver's; returns when the primary says that the joiner has everything, or after a minute: false.
  bool Join(std::uint32_t server, std::uint32_t since);
  bool WaitUntilCaughtUp(std::uint32_t server);

  // What is on a server's disks.

  std::set<std::uint64_t> Unsettled(int server);
  bool HasChunk(int server, std::uint64_t chunk);
  /// Whether no server has unsettled chunks, within half a minute.
  bool WaitUntilNothingIsUnsettled();

  // Calls, from the test's machine. Those of data name the present epoch; changes go to the primary.

  proto::ChunkTarget Target(std::uint64_t chunk) const;
  /// Not from the connection of the other calls, if `client` is not 0.
  template <typename Reply, typename Request>
  Result<TypedReply<Reply>> Call(int server, proto::Method method, const Request& request, std::string payload = "",
                                 Duration limit = std::chrono::seconds(5), int client = 0) {
    return world_.RunUntilDone(
        CallTask<Reply, Request>(Client(server, client), method, request, std::move(payload), In(limit)));
  }
  template <typename Reply, typename Request>
  static Task<Result<TypedReply<Reply>>> CallTask(RpcClient& client, proto::Method method, Request request,
                                                  std::string payload, TimePoint deadline) {
    Payload bytes;
    if (!payload.empty()) bytes = Payload(Slice::CopyOf(payload));
    Result<TypedReply<Reply>> reply = co_await CallTyped<Reply>(client, method, request, std::move(bytes), deadline);
    co_return reply;
  }
  RpcClient& Client(int server, int client);
  TimePoint In(Duration duration) { return world_.machine("test").clock().Now() + duration; }

  proto::WriteChunkRequest WriteRequest(std::uint64_t chunk, std::uint32_t offset, const std::string& bytes) const;
  Result<void> Write(std::uint64_t chunk, std::uint32_t offset, const std::string& bytes, bool sync = false,
                     Duration limit = std::chrono::seconds(5), int client = 0);
  Result<std::string> Read(int server, std::uint64_t chunk, std::uint32_t offset, std::uint32_t length);
  /// Repeats a read that is refused for the moment, for half a minute: a member answers once the primary has found that
  /// nothing changes the chunk any more.
  Result<std::string> ReadSoon(int server, std::uint64_t chunk, std::uint32_t offset, std::uint32_t length);
  /// What all in sync have, which must be the same; shortened to `length`.
  std::string ReadAll(std::uint64_t chunk, std::uint32_t offset, std::uint32_t length);
  Result<void> Sync(std::vector<std::uint64_t> chunks);
  Result<void> Trim(std::uint64_t chunk, std::uint32_t length, std::uint64_t generation);
  Result<void> Zero(std::uint64_t chunk, std::uint32_t offset, std::uint32_t length);
  Result<void> Copy(std::uint64_t source, std::uint32_t source_offset, std::uint64_t target, std::uint32_t offset,
                    std::uint32_t length);
  Result<proto::StatChunkReply> Stat(int server, std::uint64_t chunk);

  /// The next heartbeat of a server.
  proto::HeartbeatRequest NextHeartbeat(int server);

 private:
  std::map<std::string, std::string, std::less<>> IndexEntries(int server, unsigned disk);
  // Connections to a machine that lost power hang for a while.
  void DropClients(int server);
  static std::string DiskName(unsigned disk) { return "d" + std::to_string(disk); }
  std::unique_ptr<ChunkServer> MakeServer(int server, const std::vector<unsigned>& disks);

  const Setup setup_;
  SimWorld world_;
  std::vector<SimMachine*> machines_;
  FakeMetaserver metaserver_;
  std::map<int, std::unique_ptr<ChunkServer>> servers_;
  std::map<int, std::uint64_t> starts_;
  std::map<std::pair<int, int>, std::unique_ptr<RpcClient>> clients_;
  std::map<int, std::string> cluster_ids_;  // as the data directory would keep it
};

/// Where TestCluster's servers listen.
Endpoint ServerEndpoint(int server);

/// `size` bytes that differ from seed to seed and from place to place.
std::string Pattern(std::size_t size, std::uint64_t seed);

}  // namespace gabion
