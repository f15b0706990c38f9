#include "tests/unit/chunkserver/test_cluster.h"

#include <algorithm>

#include "chunkserver/store/index_key.h"
#include "common/base/checksum.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint16_t kMetaPort = 9470;
constexpr std::uint16_t kServerPort = 9480;
constexpr int kServers = 3;

template <typename Reply>
Result<void> Outcome(const Result<TypedReply<Reply>>& reply) {
  if (!reply) return reply.error();
  return {};
}

}  // namespace

Endpoint ServerEndpoint(int server) {
  return {"cs" + std::to_string(server), kServerPort};
}

std::string Pattern(std::size_t size, std::uint64_t seed) {
  std::string bytes(size, '\0');
  std::uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;
  for (char& byte : bytes) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

FakeMetaserver::FakeMetaserver(Env& env) : rpc_({&env}, Identity{proto::ROLE_METASERVER, "", 0}) {
  map_.set_version(1);
  map_.set_cluster_id("cluster");
  proto::PgEntry& group = *map_.add_pgs();
  group.set_pg_id(1);
  group.set_epoch(1);
  group.set_replicas(kServers);
  for (std::uint32_t id = 1; id <= kServers; ++id) {
    group.add_members(id);
    group.add_in_sync(id);
  }
  group.set_primary(1);
  group.set_min_replicas(2);
}

void FakeMetaserver::Start(Endpoint endpoint) {
  HandleTyped<proto::RegisterServerRequest, proto::RegisterServerReply>(
      rpc_, proto::METHOD_REGISTER_SERVER,
      [this](proto::RegisterServerRequest request, RpcRequest) { return Register(std::move(request)); });
  HandleTyped<proto::HeartbeatRequest, proto::HeartbeatReply>(
      rpc_, proto::METHOD_HEARTBEAT,
      [this](proto::HeartbeatRequest request, RpcRequest) { return Heartbeat(std::move(request)); });
  CHECK(rpc_.Start(std::move(endpoint)).has_value());
}

void FakeMetaserver::Elect(const std::vector<std::uint32_t>& in_sync) {
  proto::PgEntry& group = pg();
  group.mutable_in_sync()->Assign(in_sync.begin(), in_sync.end());
  group.set_primary(in_sync.front());
  group.clear_joining();
  group.set_epoch(group.epoch() + 1);
  MapChanged();
}

void FakeMetaserver::LetJoin(std::uint32_t server, std::uint32_t since) {
  proto::Joiner& joiner = *pg().add_joining();
  joiner.set_server_id(server);
  joiner.set_since_epoch(since);
  pg().set_epoch(pg().epoch() + 1);
  MapChanged();
}

void FakeMetaserver::NoteIncarnation(std::uint32_t id, std::uint64_t incarnation) {
  std::uint64_t known = std::exchange(incarnations_[id], incarnation);
  if (known == 0 || known == incarnation) return;
  for (proto::PgEntry& group : *map_.mutable_pgs()) {
    bool is_member = std::count(group.in_sync().begin(), group.in_sync().end(), id) > 0 ||
                     std::any_of(group.joining().begin(), group.joining().end(),
                                 [id](const proto::Joiner& joiner) { return joiner.server_id() == id; });
    if (is_member) group.set_epoch(group.epoch() + 1);
  }
}

Task<Result<proto::RegisterServerReply>> FakeMetaserver::Register(proto::RegisterServerRequest request) {
  if (away) co_return Error(ErrorCode::kUnavailable, "away");
  if (!request.cluster_id().empty() && request.cluster_id() != map_.cluster_id()) {
    co_return Error(ErrorCode::kInvalidArgument, "another cluster's server");
  }
  forgets = false;
  auto id = static_cast<std::uint32_t>(std::stoul(request.server_uuid().substr(2)));
  ++registrations[id];
  NoteIncarnation(id, request.incarnation());
  proto::ServerEntry* entry = nullptr;
  for (proto::ServerEntry& server : *map_.mutable_servers()) {
    if (server.server_id() == id) entry = &server;
  }
  if (entry == nullptr) entry = map_.add_servers();
  entry->set_server_id(id);
  entry->set_endpoint(request.endpoint());
  entry->set_alive(true);
  MapChanged();
  proto::RegisterServerReply reply;
  reply.set_server_id(id);
  reply.set_cluster_id(map_.cluster_id());
  reply.set_lease_ms(lease_ms);
  *reply.mutable_map() = map_;
  co_return reply;
}

Task<Result<proto::HeartbeatReply>> FakeMetaserver::Heartbeat(proto::HeartbeatRequest request) {
  if (away) co_return Error(ErrorCode::kUnavailable, "away");
  if (forgets) co_return Error(ErrorCode::kNotFound, "register first");
  std::uint32_t id = request.server_id();
  heartbeats[id] = request;
  std::set<std::uint64_t>& mine = garbage[id];
  for (std::uint64_t chunk : request.deleted_chunks()) mine.erase(chunk);
  proto::HeartbeatReply reply;
  reply.set_lease_ms(lease_ms);
  if (request.map_version() != map_.version()) *reply.mutable_map() = map_;
  for (std::uint64_t chunk : mine) reply.add_delete_chunks(chunk);
  reply.set_scrub_round(scrub_rounds[id]);
  for (const proto::SessionFence& fence : fences) *reply.add_fences() = fence;
  if (auto release = releases.find(id); release != releases.end()) *reply.add_release() = release->second;
  co_return reply;
}

TestCluster::TestCluster(Setup setup)
    : setup_(setup), world_(setup.seed), metaserver_(world_.AddMachine("meta").env()) {
  for (int server = 1; server <= kServers; ++server) {
    machines_.push_back(&world_.AddMachine("cs" + std::to_string(server), 2));
  }
  metaserver_.Start({"meta", kMetaPort});
  if (!setup.start) return;
  for (int server = 1; server <= kServers; ++server) StartServer(server);
  world_.RunFor(seconds(2));  // until all have a map with all
  WaitUntilServed();
}

TestCluster::~TestCluster() {
  for (auto& [key, client] : clients_) world_.RunUntilDone(client->Stop());
  for (int server = 1; server <= kServers; ++server) StopServer(server);
  world_.RunUntilDone(metaserver_.Stop());
}

std::unique_ptr<ChunkServer> TestCluster::MakeServer(int server, const std::vector<unsigned>& disks) {
  SimMachine& host = machine(server);
  std::vector<DiskSeat> seats;
  for (unsigned disk : disks)
    seats.push_back({"/" + DiskName(disk), host.disk(DiskName(disk)), host.kv(DiskName(disk))});
  ChunkServerOptions options;
  options.listen = {host.name(), kServerPort};
  options.metaserver = {"meta", kMetaPort};
  options.host = host.name();
  options.server_uuid = host.name();
  options.starts = ++starts_[server];
  options.cluster_id = cluster_ids_[server];
  options.slab_bytes = setup_.slab_bytes;
  options.scrub_interval = setup_.scrub_interval;
  return std::make_unique<ChunkServer>(host.envs(), std::move(seats), std::move(options));
}

Result<void> TestCluster::TryStartServer(int server, std::vector<unsigned> disks) {
  servers_[server] = MakeServer(server, disks);
  Result<void> started = world_.RunUntilDone(servers_[server]->Start());
  if (!started) StopServer(server);
  return started;
}

void TestCluster::StartServer(int server) {
  std::vector<unsigned> disks;
  for (unsigned disk = 0; disk < setup_.disks; ++disk) disks.push_back(disk);
  Result<void> started = TryStartServer(server, disks);
  CHECK(started.has_value());
  CHECK(WaitForLease(server));
}

bool TestCluster::WaitForLease(int server) {
  const auto id = static_cast<std::uint32_t>(server);
  metaserver_.heartbeats.erase(id);
  return world_.RunUntil([&] { return metaserver_.heartbeats.contains(id); }, std::chrono::seconds(30)) &&
         (cluster_ids_[server] = servers_[server]->cluster_id()) == "cluster";
}

void TestCluster::WaitUntilServed() {
  Result<proto::StatChunkReply> stat = Stat(primary(), 1);
  for (int turn = 0; !stat && turn < 300; ++turn) {
    world_.RunFor(milliseconds(100));
    stat = Stat(primary(), 1);
  }
  ASSERT_TRUE(stat.has_value()) << "not served: " << stat.error().ToString();
}

void TestCluster::Elect(const std::vector<std::uint32_t>& in_sync) {
  metaserver_.Elect(in_sync);
  WaitUntilServed();
}

bool TestCluster::Join(std::uint32_t server, std::uint32_t since) {
  metaserver_.LetJoin(server, since);
  return WaitUntilCaughtUp(server);
}

bool TestCluster::WaitUntilCaughtUp(std::uint32_t server) {
  auto caught_up = [&] {
    const auto& said = metaserver_.heartbeats[metaserver_.pg().primary()].caught_up();
    return std::any_of(said.begin(), said.end(), [&](const proto::PgMember& member) {
      return member.server_id() == server && member.pg_id() == 1 && member.epoch() == metaserver_.pg().epoch();
    });
  };
  return world_.RunUntil(caught_up, std::chrono::minutes(1));
}

std::map<std::string, std::string, std::less<>> TestCluster::IndexEntries(int server, unsigned disk) {
  return machine(server).kv(DiskName(disk)).contents().Entries();
}

std::set<std::uint64_t> TestCluster::Unsettled(int server) {
  std::set<std::uint64_t> chunks;
  for (unsigned disk = 0; disk < setup_.disks; ++disk) {
    for (const auto& [key, value] : IndexEntries(server, disk)) {
      if (std::optional<GroupChunkKey> unsettled = DecodeUnsettledKey(key)) chunks.insert(unsettled->chunk.value());
    }
  }
  return chunks;
}

bool TestCluster::HasChunk(int server, std::uint64_t chunk) {
  for (unsigned disk = 0; disk < setup_.disks; ++disk) {
    if (IndexEntries(server, disk).contains(ChunkKey(ChunkId(chunk)))) return true;
  }
  return false;
}

bool TestCluster::WaitUntilNothingIsUnsettled() {
  auto nothing = [this] {
    for (int server = 1; server <= kServers; ++server) {
      if (!Unsettled(server).empty()) return false;
    }
    return true;
  };
  for (int second = 0; second < 30 && !nothing(); ++second) world_.RunFor(seconds(1));
  return nothing();
}

void TestCluster::StopServer(int server) {
  if (servers_[server] == nullptr) return;
  world_.RunUntilDone(servers_[server]->Stop());
  servers_[server].reset();
}

void TestCluster::DropClients(int server) {
  for (auto at = clients_.begin(); at != clients_.end();) {
    if (at->first.first != server) {
      ++at;
      continue;
    }
    world_.RunUntilDone(at->second->Stop());
    at = clients_.erase(at);
  }
}

void TestCluster::Kill(int server) {
  DropClients(server);
  machine(server).KillProcess();
  StopServer(server);
}

void TestCluster::LosePower(int server) {
  DropClients(server);
  machine(server).LosePower();
  StopServer(server);
}

RpcClient& TestCluster::Client(int server, int client) {
  auto& found = clients_[{server, client}];
  if (found == nullptr) {
    found = std::make_unique<RpcClient>(world_.machine("test").env(), ServerEndpoint(server),
                                        Identity{proto::ROLE_CLIENT, "", 0});
  }
  return *found;
}

proto::ChunkTarget TestCluster::Target(std::uint64_t chunk) const {
  proto::ChunkTarget target;
  target.set_pg_id(1);
  target.set_epoch(metaserver_.pg().epoch());
  target.set_chunk_id(chunk);
  return target;
}

proto::WriteChunkRequest TestCluster::WriteRequest(std::uint64_t chunk, std::uint32_t offset,
                                                   const std::string& bytes) const {
  proto::WriteChunkRequest request;
  *request.mutable_target() = Target(chunk);
  request.set_offset_bytes(offset);
  std::vector<BlockChecksum> checksums = PieceChecksums(offset, std::as_bytes(std::span(bytes)));
  request.mutable_checksums()->Assign(checksums.begin(), checksums.end());
  return request;
}

Result<void> TestCluster::Write(std::uint64_t chunk, std::uint32_t offset, const std::string& bytes, bool sync,
                                Duration limit, int client) {
  proto::WriteChunkRequest request = WriteRequest(chunk, offset, bytes);
  request.set_sync(sync);
  return Outcome(Call<proto::WriteChunkReply>(primary(), proto::METHOD_WRITE_CHUNK, request, bytes, limit, client));
}

Result<std::string> TestCluster::Read(int server, std::uint64_t chunk, std::uint32_t offset, std::uint32_t length) {
  proto::ReadChunkRequest request;
  *request.mutable_target() = Target(chunk);
  request.set_offset_bytes(offset);
  request.set_length_bytes(length);
  auto reply = Call<proto::ReadChunkReply>(server, proto::METHOD_READ_CHUNK, request);
  if (!reply) return reply.error();
  Slice bytes = reply->payload.Joined();
  const auto& checksums = reply->message.checksums();
  EXPECT_EQ(PieceChecksums(offset, bytes.span()), std::vector<BlockChecksum>(checksums.begin(), checksums.end()));
  return reply->payload.ToString();
}

Result<std::string> TestCluster::ReadSoon(int server, std::uint64_t chunk, std::uint32_t offset, std::uint32_t length) {
  Result<std::string> read = Read(server, chunk, offset, length);
  for (int second = 0; second < 30 && !read && IsRetryable(read.error().code()); ++second) {
    world_.RunFor(seconds(1));
    read = Read(server, chunk, offset, length);
  }
  return read;
}

std::string TestCluster::ReadAll(std::uint64_t chunk, std::uint32_t offset, std::uint32_t length) {
  auto rounded = static_cast<std::uint32_t>(RoundUp(length, kBlockBytes));
  Result<std::string> first = ReadSoon(primary(), chunk, offset, rounded);
  EXPECT_TRUE(first.has_value()) << first.error().ToString();
  if (!first) return "";
  for (std::uint32_t id : metaserver_.pg().in_sync()) {
    const auto server = static_cast<int>(id);
    if (server == primary()) continue;
    Result<std::string> other = ReadSoon(server, chunk, offset, rounded);
    EXPECT_TRUE(other.has_value()) << "server " << server << ": " << other.error().ToString();
    EXPECT_TRUE(other.has_value() && *other == *first) << "server " << server << " has other bytes than the primary";
  }
  return first->substr(0, length);
}

Result<void> TestCluster::Sync(std::vector<std::uint64_t> chunks) {
  proto::SyncChunksRequest request;
  for (std::uint64_t chunk : chunks) *request.add_targets() = Target(chunk);
  return Outcome(Call<proto::SyncChunksReply>(primary(), proto::METHOD_SYNC_CHUNKS, request));
}

Result<void> TestCluster::Trim(std::uint64_t chunk, std::uint32_t length, std::uint64_t generation) {
  proto::TrimChunkRequest request;
  *request.mutable_target() = Target(chunk);
  request.set_length_bytes(length);
  request.set_generation(generation);
  return Outcome(Call<proto::TrimChunkReply>(primary(), proto::METHOD_TRIM_CHUNK, request));
}

Result<void> TestCluster::Zero(std::uint64_t chunk, std::uint32_t offset, std::uint32_t length) {
  proto::ZeroChunkRequest request;
  *request.mutable_target() = Target(chunk);
  request.set_offset_bytes(offset);
  request.set_length_bytes(length);
  return Outcome(Call<proto::ZeroChunkReply>(primary(), proto::METHOD_ZERO_CHUNK, request));
}

Result<void> TestCluster::Copy(std::uint64_t source, std::uint32_t source_offset, std::uint64_t target,
                               std::uint32_t offset, std::uint32_t length) {
  proto::CopyChunkRequest request;
  *request.mutable_target() = Target(target);
  request.set_source_chunk_id(source);
  request.set_source_offset_bytes(source_offset);
  request.set_offset_bytes(offset);
  request.set_length_bytes(length);
  return Outcome(Call<proto::CopyChunkReply>(primary(), proto::METHOD_COPY_CHUNK, request));
}

Result<proto::StatChunkReply> TestCluster::Stat(int server, std::uint64_t chunk) {
  proto::StatChunkRequest request;
  *request.mutable_target() = Target(chunk);
  auto reply = Call<proto::StatChunkReply>(server, proto::METHOD_STAT_CHUNK, request);
  if (!reply) return reply.error();
  return reply->message;
}

proto::HeartbeatRequest TestCluster::NextHeartbeat(int server) {
  const auto id = static_cast<std::uint32_t>(server);
  metaserver_.heartbeats.erase(id);
  CHECK(world_.RunUntil([&] { return metaserver_.heartbeats.contains(id); }, std::chrono::seconds(30)));
  return metaserver_.heartbeats[id];
}

}  // namespace gabion
