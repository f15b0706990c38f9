#include "metaserver/admin/admin_ops.h"

#include <fmt/format.h>

#include "common/rpc/identity.h"

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
  co_return reply;
}

}  // namespace gabion
