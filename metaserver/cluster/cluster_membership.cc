// Registration, heartbeats and leases of chunkservers.
#include <fmt/format.h>

#include "common/base/log.h"
#include "metaserver/cluster/cluster.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

namespace {

constexpr std::size_t kMaxUuidBytes = 64;
constexpr std::size_t kMaxTextBytes = 256;  // of endpoints, host names, versions
constexpr int kMaxLoadRounds = 16;

Result<void> CheckRegistration(const proto::RegisterServerRequest& request, const std::string& cluster_id) {
  if (request.server_uuid().empty() || request.server_uuid().size() > kMaxUuidBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a chunkserver's uuid has 1 to {} characters", kMaxUuidBytes));
  }
  if (request.host().size() > kMaxTextBytes || request.software().size() > kMaxTextBytes ||
      request.endpoint().size() > kMaxTextBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a chunkserver's host, endpoint and version have at most {} characters", kMaxTextBytes));
  }
  if (Result<Endpoint> endpoint = Endpoint::Parse(request.endpoint(), 0); !endpoint) {
    return endpoint.error().WithContext("the chunkserver's endpoint");
  }
  if (!request.cluster_id().empty() && request.cluster_id() != cluster_id) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "this is cluster {}, and the chunkserver's data belongs to cluster {}: give it its own metaserver's "
            "address, or an empty data directory",
            cluster_id, request.cluster_id()));
  }
  return {};
}

}  // namespace

Result<Cluster::Server*> Cluster::FindOrAddServer(const proto::RegisterServerRequest& request, WriteBatch& batch) {
  if (auto known = servers_by_uuid_.find(request.server_uuid()); known != servers_by_uuid_.end()) {
    return &servers_.at(known->second);
  }
  if (servers_.size() >= kMaxServers) {
    return Error(ErrorCode::kOverloaded,
                 fmt::format("the cluster has {} chunkservers already, its limit", servers_.size()));
  }
  TRY_ASSIGN(const std::uint64_t number, TakeIdsLocked(Counter::kServerId, 1, batch));
  Server server;
  server.id = ServerId(static_cast<std::uint32_t>(number));
  server.record.set_uuid(request.server_uuid());
  servers_by_uuid_[request.server_uuid()] = server.id;
  return &servers_.emplace(server.id, std::move(server)).first->second;
}

bool Cluster::TakeReports(Server& server, const google::protobuf::RepeatedPtrField<proto::DiskReport>& disks) {
  const std::uint32_t online_before = server.disks_online;
  const std::uint32_t failed_before = server.disks_failed;
  server.capacity_bytes = server.used_bytes = server.chunks = 0;
  server.disks_online = server.disks_failed = 0;
  for (const proto::DiskReport& disk : disks) {
    if (!disk.online()) {
      ++server.disks_failed;
      continue;
    }
    ++server.disks_online;
    server.capacity_bytes += disk.capacity_bytes();
    server.used_bytes += disk.used_bytes();
    server.chunks += disk.chunks();
  }
  if (server.disks_failed > failed_before) {
    for (const proto::DiskReport& disk : disks) {
      if (!disk.online())
        LogWarning("chunkserver {} ({}): disk {} is offline: {}", server.id.value(), server.record.endpoint(),
                   disk.path(), disk.error());
    }
  }
  server.heard = true;
  return server.disks_online != online_before || server.disks_failed != failed_before;
}

Task<Result<proto::RegisterServerReply>> Cluster::Register(proto::RegisterServerRequest request, Env& env) {
  CO_TRY(CheckRegistration(request, cluster_id_));
  if (request.disks_size() > kMaxDisksPerServer) {
    co_return Error(ErrorCode::kInvalidArgument, fmt::format("a chunkserver has at most {} disks", kMaxDisksPerServer));
  }
  proto::RegisterServerReply reply;
  CommitSeq seq;
  {
    const std::lock_guard lock(mutex_);
    WriteBatch batch;
    CO_TRY_ASSIGN(Server * server, FindOrAddServer(request, batch));
    server->record.set_endpoint(request.endpoint());
    server->record.set_host(request.host());
    server->record.set_software(request.software());
    batch.Put(ServerKey(server->id), EncodeRecord(server->record));
    server->alive = true;
    server->lease_until = env.clock.Now() + options_.server_lease;
    TakeReports(*server, request.disks());
    for (std::uint32_t replicas : policies_) MakeGroups(replicas, env.random, batch);
    RaiseMapVersion(batch);
    CO_TRY_ASSIGN(seq, Write(std::move(batch)));
    RebuildPlacement();
    reply.set_server_id(server->id.value());
    reply.set_cluster_id(cluster_id_);
    reply.set_lease_ms(static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.server_lease).count()));
    *reply.mutable_map() = MapLocked();
    LogInfo("chunkserver {} registered: {}, host '{}', {} disks, {}", server->id.value(), request.endpoint(),
            request.host(), server->disks_online, request.software());
  }
  Result<void> applied = co_await kv_.WaitApplied(seq);
  CO_TRY(applied);
  Result<void> durable = co_await MakeDurable();
  CO_TRY(durable);
  co_return reply;
}

Task<Result<proto::HeartbeatReply>> Cluster::Heartbeat(proto::HeartbeatRequest request, Env& env) {
  if (request.disks_size() > kMaxDisksPerServer ||
      request.deleted_chunks_size() > static_cast<int>(kMaxDeletesPerHeartbeat)) {
    co_return Error(ErrorCode::kInvalidArgument, "a heartbeat with too many disks or deleted chunks");
  }
  proto::HeartbeatReply reply;
  const ServerId id(request.server_id());
  {
    const std::lock_guard lock(mutex_);
    auto found = servers_.find(id);
    if (found == servers_.end() || found->second.record.uuid() != request.server_uuid()) {
      co_return Error(ErrorCode::kNotFound, fmt::format("no chunkserver {} with uuid '{}': register first", id.value(),
                                                        request.server_uuid()));
    }
    Server& server = found->second;
    bool changed = TakeReports(server, request.disks());
    if (!server.alive) LogInfo("chunkserver {} ({}) is back", id.value(), server.record.endpoint());
    changed |= !server.alive;
    server.alive = true;
    server.lease_until = env.clock.Now() + options_.server_lease;
    WriteBatch batch;
    for (std::uint32_t replicas : policies_) changed |= MakeGroups(replicas, env.random, batch);
    if (changed) RaiseMapVersion(batch);
    CO_TRY_ASSIGN([[maybe_unused]] CommitSeq seq, Write(std::move(batch)));
    RebuildPlacement();
    reply.set_lease_ms(static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.server_lease).count()));
    if (counters_.at(Counter::kMapVersion) != request.map_version()) *reply.mutable_map() = MapLocked();
  }
  Result<void> removed = co_await RemoveDeleted(id, request.deleted_chunks());
  CO_TRY(removed);
  Result<std::vector<std::uint64_t>> listed = co_await ListGarbage(id);
  CO_TRY_ASSIGN(std::vector<std::uint64_t> garbage, std::move(listed));
  // A removal that a power loss would take back must not have cost the file its data by then.
  if (!garbage.empty() || reply.has_map()) {
    Result<void> durable = co_await MakeDurable();
    CO_TRY(durable);
  }
  reply.mutable_delete_chunks()->Add(garbage.begin(), garbage.end());
  co_return reply;
}

Task<Result<void>> Cluster::RemoveDeleted(ServerId server, google::protobuf::RepeatedField<std::uint64_t> chunks) {
  if (chunks.empty()) co_return Result<void>();
  // Only what is there is counted: a report may be repeated.
  WriteBatch batch;
  std::uint64_t removed = 0;
  for (std::uint64_t chunk : chunks) {
    std::string key = GarbageKey(server, ChunkId(chunk));
    Result<std::optional<std::string>> value = kv_.Get(key);
    for (int round = 0; !value && value.error().code() == ErrorCode::kWouldBlock && round < kMaxLoadRounds; ++round) {
      Result<void> loaded = co_await kv_.Load(key);
      CO_TRY(loaded);
      value = kv_.Get(key);
    }
    CO_TRY_ASSIGN(std::optional<std::string> record, std::move(value));
    if (!record) continue;
    batch.Delete(std::move(key));
    ++removed;
  }
  if (removed == 0) co_return Result<void>();
  CommitSeq seq;
  {
    const std::lock_guard lock(mutex_);
    CO_TRY_ASSIGN(seq, Write(std::move(batch)));
    garbage_count_ -= std::min(garbage_count_, removed);
  }
  Result<void> applied = co_await kv_.WaitApplied(seq);
  co_return applied;
}

Task<Result<std::vector<std::uint64_t>>> Cluster::ListGarbage(ServerId server) {
  const std::string first = GarbagePrefix(server);
  const std::string last = PrefixEnd(first);
  for (int round = 0; round < kMaxLoadRounds; ++round) {
    std::vector<std::uint64_t> chunks;
    Result<void> decoded;
    Result<void> scanned = kv_.Scan(first, last, [&](std::string_view key, std::string_view) {
      Result<GarbageKeyParts> parts = DecodeGarbageKey(key);
      if (!parts) {
        decoded = parts.error();
        return false;
      }
      chunks.push_back(parts->chunk.value());
      return chunks.size() < kMaxDeletesPerHeartbeat;
    });
    CO_TRY(decoded);
    if (scanned) co_return chunks;
    if (scanned.error().code() != ErrorCode::kWouldBlock) co_return scanned.error();
    Result<void> loaded = co_await kv_.LoadRange(first, last, kMaxDeletesPerHeartbeat);
    CO_TRY(loaded);
  }
  // The heartbeat matters more than the garbage: what is not in memory by now goes with a later one.
  co_return std::vector<std::uint64_t>();
}

void Cluster::ExpireLeases(TimePoint now) {
  const std::lock_guard lock(mutex_);
  bool changed = false;
  for (auto& [id, server] : servers_) {
    if (!server.alive || now < server.lease_until) continue;
    server.alive = false;
    changed = true;
    LogWarning("chunkserver {} ({}, host '{}') is away: its lease has run out", id.value(), server.record.endpoint(),
               server.record.host());
  }
  if (!changed) return;
  WriteBatch batch;
  RaiseMapVersion(batch);
  if (Result<CommitSeq> written = Write(std::move(batch)); !written) LogError("{}", written.error().ToString());
  RebuildPlacement();
}

}  // namespace gabion
