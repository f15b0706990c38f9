// Registration, heartbeats and leases of chunkservers.
#include <fmt/format.h>

#include "common/base/log.h"
#include "common/env/mutate.h"
#include "metaserver/cluster/cluster.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

namespace {

constexpr std::size_t kMaxUuidBytes = 64;
constexpr int kMaxFencesPerHeartbeat = 65536;
constexpr std::size_t kMaxTextBytes = 256;  // of endpoints, versions, labels

Result<void> CheckRegistration(const proto::RegisterServerRequest& request, const std::string& cluster_id) {
  if (request.server_uuid().empty() || request.server_uuid().size() > kMaxUuidBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a chunkserver's uuid has 1 to {} characters", kMaxUuidBytes));
  }
  for (const std::string* text :
       {&request.endpoint(), &request.software(), &request.host(), &request.rack(), &request.zone()}) {
    if (text->size() <= kMaxTextBytes) continue;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a chunkserver's endpoint, version, host, rack and zone have at most {} characters",
                             kMaxTextBytes));
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

std::uint32_t LeaseMs(Duration lease) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(lease).count());
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

bool Cluster::Revive(Server& server, Env& env, WriteBatch& batch) {
  server.lease_until = env.clock.Now() + options_.server_lease;
  server.lost_store = false;
  if (server.alive) return false;
  server.alive = true;
  server.record.clear_away_since_ns();
  batch.Put(ServerKey(server.id), EncodeRecord(server.record));
  return true;
}

void Cluster::NoteRegistration(const Server& server, const proto::RegisterServerRequest& request, Env& env,
                               WriteBatch& batch) {
  const std::string name = fmt::format("chunkserver {} ({}, host '{}', {})", server.id.value(), request.endpoint(),
                                       request.host(), request.software());
  if (server.record.endpoint().empty()) {
    Note(EventAbout(server.id, "server-registered", name + " is new"), env, batch);
  } else if (server.record.incarnation() != request.incarnation()) {
    Note(EventAbout(
             server.id, "server-restarted",
             name + (request.lost_unsynced() ? " was restarted, and its machine too: what was not synced may be gone"
                                             : " was restarted")),
         env, batch);
  } else if (!server.alive) {
    Note(EventAbout(server.id, "server-back", name + " is back"), env, batch);
  }
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
    NoteRegistration(*server, request, env, batch);
    if (request.lost_store()) {
      TakeDeparture(*server, true, env, batch);
    } else {
      Revive(*server, env, batch);
    }
    server->record.set_endpoint(request.endpoint());
    server->record.set_host(request.host());
    server->record.set_rack(request.rack());
    server->record.set_zone(request.zone());
    server->record.set_software(request.software());
    // What it says of scrub begins anew with its process.
    if (server->record.incarnation() != request.incarnation()) server->scrub = proto::ScrubReport();
    server->record.set_incarnation(request.incarnation());
    server->record.set_lost_unsynced(request.lost_unsynced());
    batch.Put(ServerKey(server->id), EncodeRecord(server->record));
    TakeReports(*server, request.disks());
    for (std::uint32_t replicas : policies_) MakeGroups(replicas, env.random, batch);
    AdvanceGroups(env, batch);
    RaiseMapVersion(batch);
    CO_TRY_ASSIGN(seq, Write(std::move(batch)));
    RebuildPlacement();
    reply.set_server_id(server->id.value());
    reply.set_cluster_id(cluster_id_);
    reply.set_lease_ms(request.lost_store() ? 0 : LeaseMs(options_.server_lease));
    *reply.mutable_map() = MapLocked();
  }
  Result<void> applied = co_await kv_.WaitApplied(seq);
  CO_TRY(applied);
  Result<void> durable = co_await MakeMapDurable(reply.map().version());
  CO_TRY(durable);
  co_return reply;
}

Task<Result<proto::HeartbeatReply>> Cluster::Heartbeat(proto::HeartbeatRequest request, Env& env) {
  if (request.disks_size() > kMaxDisksPerServer ||
      request.deleted_chunks_size() > static_cast<int>(kMaxDeletesPerHeartbeat) ||
      request.fenced_size() > kMaxFencesPerHeartbeat) {
    co_return Error(ErrorCode::kInvalidArgument, "a heartbeat with too many disks, deleted chunks or fenced sessions");
  }
  if (env.Buggified("meta.slow_heartbeat")) co_await env.clock.SleepFor(std::chrono::milliseconds(300));
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
    WriteBatch batch;
    bool changed = TakeReports(server, request.disks());
    TakeScrubReport(server, request.scrub(), env, batch);
    fencer_.Confirmed(id, request.fenced());
    // By an older map it may have everything still that has left it since.
    if (request.map_version() == counters_.at(Counter::kMapVersion)) server.tidy = request.tidy();
    const bool departs = request.lost_store() || request.leaving();
    const bool is_away = departs && TakeDeparture(server, request.lost_store(), env, batch);
    const bool is_back = !departs && Revive(server, env, batch);
    if (is_back) {
      Note(EventAbout(id, "server-back",
                      fmt::format("chunkserver {} ({}) is back", id.value(), server.record.endpoint())),
           env, batch);
    }
    changed |= is_back || is_away;
    for (std::uint32_t replicas : policies_) changed |= MakeGroups(replicas, env.random, batch);
    const bool has_news = TakeGroupReports(id, request, env, batch);
    if (is_back || is_away || has_news) changed |= AdvanceGroups(env, batch);
    if (request.lost_store() && !request.leaving()) reply.set_start_afresh(ForgetLostStore(server, env, batch));
    if (changed) RaiseMapVersion(batch);
    CO_TRY_ASSIGN([[maybe_unused]] CommitSeq seq, Write(std::move(batch)));
    RebuildPlacement();
    reply.set_lease_ms(departs ? 0 : LeaseMs(options_.server_lease));
    AskForReleases(id, env.clock.Now(), reply);
    reply.set_scrub_round(OpenScrubRound(server));
    fencer_.Ask(id, *reply.mutable_fences());
    // The lease is renewed for what this map says: who was put out of a group while it was away learns of both at once.
    if (counters_.at(Counter::kMapVersion) != request.map_version()) *reply.mutable_map() = MapLocked();
  }
  Result<void> removed = co_await RemoveDeleted(id, request.deleted_chunks());
  CO_TRY(removed);
  Result<std::vector<std::uint64_t>> listed = co_await ListGarbage(id);
  CO_TRY_ASSIGN(std::vector<std::uint64_t> garbage, std::move(listed));
  // A removal that a power loss would take back must not have cost the file its data by then.
  if (!garbage.empty() || reply.has_map() || reply.release_size() > 0 || reply.scrub_round() != 0 ||
      reply.start_afresh()) {
    Result<void> durable = co_await MakeDurable();
    CO_TRY(durable);
  }
  reply.mutable_delete_chunks()->Add(garbage.begin(), garbage.end());
  co_return reply;
}

Task<Result<void>> Cluster::ExpireLeases(Env& env) {
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    WriteBatch batch;
    const TimePoint now = env.clock.Now();
    for (auto& [id, server] : servers_) {
      const Duration early = Mutated("meta.short_lease") ? options_.server_lease * 3 / 4 : Duration::zero();
      if (!server.alive || now + early < server.lease_until) continue;
      changed = true;
      Depart(
          server,
          EventAbout(id, "server-away",
                     fmt::format("chunkserver {} ({}, host '{}') is away: nothing was heard of it for a lease's time",
                                 id.value(), server.record.endpoint(), server.record.host()),
                     true),
          env, batch);
    }
    changed |= EndDueMaintenance(env, batch);
    changed |= AdvanceGroups(env, batch);
    if (!changed) co_return Result<void>();
    RaiseMapVersion(batch);
    CO_TRY_ASSIGN([[maybe_unused]] CommitSeq seq, Write(std::move(batch)));
    RebuildPlacement();
  }
  Result<void> durable = co_await MakeDurable();
  co_return durable;
}

void Cluster::ExtendLeases(Duration late) {
  const std::lock_guard lock(mutex_);
  for (auto& [id, server] : servers_) server.lease_until = server.lease_until + late;
}

}  // namespace gabion
