#include "metaserver/admin/admin_ops.h"

#include <fmt/format.h>

#include "common/rpc/identity.h"
#include "metaserver/admin/recovery.h"

namespace gabion {

namespace {

proto::VolumeEntry EntryOf(Volume& volume) {
  return volume.WithState([](VolumeState& state) {
    proto::VolumeEntry entry;
    entry.set_volume_id(state.id.value());
    entry.set_name(state.record.name());
    entry.set_replicas(state.record.replicas());
    entry.set_inodes(state.stats.inodes());
    entry.set_used_bytes(state.stats.used_bytes());
    entry.set_created_ns(state.record.created_ns());
    entry.set_sessions(static_cast<std::uint32_t>(state.sessions.size()));
    return entry;
  });
}

}  // namespace

Task<Result<proto::AdminStatusReply>> AdminOps::Status(Env& env) {
  proto::AdminStatusReply reply;
  reply.set_cluster_id(cluster_.cluster_id());
  reply.set_software(SoftwareVersion());
  reply.set_uptime_s(
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(env.clock.Now() - started_).count()));
  Result<proto::ClusterMap> newest = co_await cluster_.Map();
  CO_TRY_ASSIGN(const proto::ClusterMap map, std::move(newest));
  *reply.mutable_servers() = map.servers();
  cluster_.AddScrub(*reply.mutable_servers());
  std::uint32_t sessions = 0;
  for (const std::shared_ptr<Volume>& volume : volumes_.List()) {
    *reply.add_volumes() = EntryOf(*volume);
    sessions += reply.volumes().rbegin()->sessions();
  }
  const Cluster::Health health = cluster_.GroupHealth();
  reply.set_pgs(health.groups);
  reply.set_pgs_healthy(health.healthy);
  reply.set_pgs_writable(health.writable);
  reply.set_sessions(sessions);
  reply.set_garbage_chunks(cluster_.garbage_count());
  Result<std::vector<Cluster::GroupView>> viewed = co_await cluster_.ViewGroups();
  CO_TRY_ASSIGN(const std::vector<Cluster::GroupView> groups, std::move(viewed));
  *reply.mutable_recovery() = SummarizeRecovery(groups);
  const Cluster::BalanceView balance = cluster_.ViewBalance(env.clock.Now());
  reply.mutable_balance()->set_under_way(balance.under_way);
  reply.mutable_balance()->set_pgs_moving(balance.moving);
  reply.mutable_balance()->set_bytes_left(balance.bytes_left);
  co_return reply;
}

Task<Result<proto::VolumeCreateReply>> AdminOps::CreateVolume(proto::VolumeCreateRequest request, Env& env) {
  Result<std::shared_ptr<Volume>> volume = co_await volumes_.Create(request.name(), request.replicas(), env);
  if (!volume) co_return volume.error();
  proto::VolumeCreateReply reply;
  *reply.mutable_volume() = EntryOf(**volume);
  co_return reply;
}

proto::VolumeListReply AdminOps::ListVolumes() {
  proto::VolumeListReply reply;
  for (const std::shared_ptr<Volume>& volume : volumes_.List()) *reply.add_volumes() = EntryOf(*volume);
  return reply;
}

Result<proto::VolumeShowReply> AdminOps::ShowVolume(const proto::VolumeShowRequest& request) {
  std::shared_ptr<Volume> volume = volumes_.FindByName(request.name());
  if (!volume) return Error(ErrorCode::kNotFound, fmt::format("no volume '{}'", request.name()));
  proto::VolumeShowReply reply;
  *reply.mutable_volume() = EntryOf(*volume);
  return reply;
}

Task<Result<proto::VolumeDeleteReply>> AdminOps::DeleteVolume(proto::VolumeDeleteRequest request, Env& env) {
  const TimePoint live_since = env.clock.Now() - options_.session_ttl;
  Result<void> deleted = co_await volumes_.Delete(request.name(), request.force(), live_since, env);
  if (!deleted) co_return deleted.error();
  co_return proto::VolumeDeleteReply();
}

Task<Result<proto::ServerListReply>> AdminOps::ListServers() {
  Result<proto::ClusterMap> newest = co_await cluster_.Map();
  CO_TRY_ASSIGN(const proto::ClusterMap map, std::move(newest));
  proto::ServerListReply reply;
  *reply.mutable_servers() = map.servers();
  cluster_.AddScrub(*reply.mutable_servers());
  co_return reply;
}

Task<Result<proto::PgListReply>> AdminOps::ListGroups(proto::PgListRequest request) {
  Result<std::vector<Cluster::GroupView>> viewed = co_await cluster_.ViewGroups();
  CO_TRY_ASSIGN(const std::vector<Cluster::GroupView> groups, std::move(viewed));
  proto::PgListReply reply;
  for (const Cluster::GroupView& group : groups) {
    if (request.pg_id() == 0 || group.id == PgId(request.pg_id())) *reply.add_pgs() = StatusOf(group);
  }
  if (request.pg_id() != 0 && reply.pgs().empty())
    co_return Error(ErrorCode::kNotFound, fmt::format("no placement group {}", request.pg_id()));
  co_return reply;
}

proto::EventListReply AdminOps::ListEvents(const proto::EventListRequest& request) {
  proto::EventListReply reply;
  for (const EventLog::Numbered& known : cluster_.LastEvents(request.limit())) {
    proto::EventEntry* entry = reply.add_events();
    entry->set_number(known.number);
    entry->set_time_ns(known.event.time_ns());
    entry->set_kind(known.event.kind());
    entry->set_server_id(known.event.server_id());
    entry->set_text(known.event.text());
    entry->set_warning(known.event.warning());
  }
  return reply;
}

Task<Result<proto::ServerDrainReply>> AdminOps::DrainServer(proto::ServerDrainRequest request, Env& env) {
  Result<proto::ServerEntry> drained = co_await cluster_.Drain(ServerId(request.server_id()), request.undo(), env);
  proto::ServerDrainReply reply;
  CO_TRY_ASSIGN(*reply.mutable_server(), std::move(drained));
  co_return reply;
}

Task<Result<proto::ServerMaintenanceReply>> AdminOps::SetMaintenance(proto::ServerMaintenanceRequest request,
                                                                     Env& env) {
  const ServerId id(request.server_id());
  const std::chrono::seconds time(request.for_s());
  Task<Result<proto::ServerEntry>> change =
      request.end() ? cluster_.EndMaintenance(id, env) : cluster_.BeginMaintenance(id, time, request.force(), env);
  Result<proto::ServerEntry> changed = co_await std::move(change);
  proto::ServerMaintenanceReply reply;
  CO_TRY_ASSIGN(*reply.mutable_server(), std::move(changed));
  co_return reply;
}

Task<Result<proto::ScrubStartReply>> AdminOps::StartScrub(proto::ScrubStartRequest request, Env& env) {
  Result<std::vector<proto::ServerEntry>> started = co_await cluster_.StartScrub(ServerId(request.server_id()), env);
  if (!started) co_return started.error();
  proto::ScrubStartReply reply;
  for (proto::ServerEntry& server : *started) *reply.add_servers() = std::move(server);
  co_return reply;
}

Task<Result<proto::ServerRemoveReply>> AdminOps::RemoveServer(proto::ServerRemoveRequest request, Env& env) {
  Result<void> removed = co_await cluster_.Remove(ServerId(request.server_id()), env);
  CO_TRY(removed);
  co_return proto::ServerRemoveReply();
}

}  // namespace gabion
