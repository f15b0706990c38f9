#include "metaserver/service.h"

#include "metaserver/op/dispatch.h"
#include "metaserver/op/ops.h"

namespace gabion {

namespace {

template <typename Reply>
Task<Result<Reply>> Ready(Result<Reply> reply) {
  co_return reply;
}

Task<Result<proto::SyncMetaReply>> SyncMeta(VolumeTable& volumes, proto::SyncMetaRequest request, Env& env) {
  const std::shared_ptr<Volume> volume = volumes.Find(VolumeId(request.op().volume_id()));
  if (!volume) co_return Error(ErrorCode::kSessionExpired, "there is no such volume");
  if (env.Buggified("meta.slow_sync")) co_await env.clock.SleepFor(std::chrono::milliseconds(200));
  Result<CommitSeq> durable = co_await volume->Sync(request.op(), env);
  if (!durable) co_return durable.error();
  proto::SyncMetaReply reply;
  reply.set_durable_seq(durable->value());
  co_return reply;
}

Task<Result<proto::GetClusterMapReply>> GetClusterMap(Cluster& cluster, proto::GetClusterMapRequest request) {
  Result<std::optional<proto::ClusterMap>> newer = co_await cluster.MapIfNewer(request.known_version());
  CO_TRY_ASSIGN(std::optional<proto::ClusterMap> map, std::move(newer));
  proto::GetClusterMapReply reply;
  if (map) *reply.mutable_map() = std::move(*map);
  co_return reply;
}

void RegisterOps(RpcServer& server, VolumeTable& volumes) {
  HandleOp<OpKind::kRead>(server, proto::METHOD_LOOKUP, volumes, &op::Lookup);
  HandleOp<OpKind::kRead>(server, proto::METHOD_GET_ATTR, volumes, &op::GetAttr);
  HandleOp<OpKind::kMutation>(server, proto::METHOD_SET_ATTR, volumes, &op::SetAttr);
  HandleOp<OpKind::kMutation>(server, proto::METHOD_CREATE, volumes, &op::Create);
  HandleOp<OpKind::kMutation>(server, proto::METHOD_LINK, volumes, &op::Link);
  HandleOp<OpKind::kMutation>(server, proto::METHOD_UNLINK, volumes, &op::Unlink);
  HandleOp<OpKind::kMutation>(server, proto::METHOD_RMDIR, volumes, &op::Rmdir);
  HandleOp<OpKind::kMutation>(server, proto::METHOD_RENAME, volumes, &op::Rename);
  HandleOp<OpKind::kRead>(server, proto::METHOD_READ_LINK, volumes, &op::ReadLink);
  HandleOp<OpKind::kRead>(server, proto::METHOD_READ_DIR, volumes, &op::ReadDir);
  HandleOp<OpKind::kHandle>(server, proto::METHOD_OPEN, volumes, &op::Open);
  HandleOp<OpKind::kHandle>(server, proto::METHOD_NAME_HANDLES, volumes, &op::NameHandles);
  HandleOp<OpKind::kHandle>(server, proto::METHOD_RELEASE, volumes, &op::Release);
  HandleOp<OpKind::kWriteLease>(server, proto::METHOD_ACQUIRE_WRITE, volumes, &op::AcquireWrite);
  HandleOp<OpKind::kMutation>(server, proto::METHOD_SET_XATTR, volumes, &op::SetXattr);
  HandleOp<OpKind::kRead>(server, proto::METHOD_GET_XATTR, volumes, &op::GetXattr);
  HandleOp<OpKind::kRead>(server, proto::METHOD_LIST_XATTR, volumes, &op::ListXattr);
  HandleOp<OpKind::kMutation>(server, proto::METHOD_REMOVE_XATTR, volumes, &op::RemoveXattr);
  HandleOp<OpKind::kRead>(server, proto::METHOD_STAT_FS, volumes, &op::StatFs);
  HandleOp<OpKind::kMutation>(server, proto::METHOD_COMMIT_WRITE, volumes, &op::CommitWrite);
  HandleOp<OpKind::kRepeatable>(server, proto::METHOD_ALLOCATE_CHUNKS, volumes, &op::AllocateChunks);
  HandleOp<OpKind::kRead>(server, proto::METHOD_GET_CHUNKS, volumes, &op::GetChunks);
  HandleOp<OpKind::kRepeatable>(server, proto::METHOD_FINISH_TRIM, volumes, &op::FinishTrim);
  HandleOp<OpKind::kLock>(server, proto::METHOD_SET_LOCK, volumes, &op::SetLock);
  HandleOp<OpKind::kRead>(server, proto::METHOD_TEST_LOCK, volumes, &op::TestLock);
  HandleOp<OpKind::kLock>(server, proto::METHOD_NAME_LOCKS, volumes, &op::NameLocks);
  HandleOp<OpKind::kLock>(server, proto::METHOD_CANCEL_LOCK, volumes, &op::CancelLock);
  HandleTyped<proto::SyncMetaRequest, proto::SyncMetaReply>(server, proto::METHOD_SYNC_META,
                                                            [&volumes](proto::SyncMetaRequest request, RpcRequest raw) {
                                                              return SyncMeta(volumes, std::move(request), *raw.env);
                                                            });
}

void RegisterSessions(RpcServer& server, SessionOps& sessions) {
  HandleTyped<proto::OpenSessionRequest, proto::OpenSessionReply>(
      server, proto::METHOD_OPEN_SESSION, [&sessions](proto::OpenSessionRequest request, RpcRequest raw) {
        return sessions.Open(std::move(request), *raw.env);
      });
  HandleTyped<proto::RenewSessionRequest, proto::RenewSessionReply>(
      server, proto::METHOD_RENEW_SESSION, [&sessions](proto::RenewSessionRequest request, RpcRequest raw) {
        return sessions.Renew(std::move(request), *raw.env);
      });
  HandleTyped<proto::CloseSessionRequest, proto::CloseSessionReply>(
      server, proto::METHOD_CLOSE_SESSION, [&sessions](proto::CloseSessionRequest request, RpcRequest raw) {
        return sessions.Close(std::move(request), *raw.env);
      });
  HandleTyped<proto::DelegateIdsRequest, proto::DelegateIdsReply>(
      server, proto::METHOD_DELEGATE_IDS, [&sessions](proto::DelegateIdsRequest request, RpcRequest raw) {
        return sessions.DelegateIds(std::move(request), *raw.env);
      });
}

void RegisterLeases(RpcServer& server, LeaseOps& leases) {
  HandleTyped<proto::WaitRecallsRequest, proto::WaitRecallsReply>(
      server, proto::METHOD_WAIT_RECALLS, [&leases](proto::WaitRecallsRequest request, RpcRequest raw) {
        return leases.WaitRecalls(std::move(request), *raw.env);
      });
  HandleTyped<proto::ReturnLeasesRequest, proto::ReturnLeasesReply>(
      server, proto::METHOD_RETURN_LEASES,
      [&leases](proto::ReturnLeasesRequest request, RpcRequest) { return Ready(leases.ReturnLeases(request)); });
}

void RegisterCluster(RpcServer& server, Cluster& cluster) {
  HandleTyped<proto::GetClusterMapRequest, proto::GetClusterMapReply>(
      server, proto::METHOD_GET_CLUSTER_MAP, [&cluster](proto::GetClusterMapRequest request, RpcRequest) {
        return GetClusterMap(cluster, std::move(request));
      });
  HandleTyped<proto::RegisterServerRequest, proto::RegisterServerReply>(
      server, proto::METHOD_REGISTER_SERVER, [&cluster](proto::RegisterServerRequest request, RpcRequest raw) {
        return cluster.Register(std::move(request), *raw.env);
      });
  HandleTyped<proto::HeartbeatRequest, proto::HeartbeatReply>(
      server, proto::METHOD_HEARTBEAT, [&cluster](proto::HeartbeatRequest request, RpcRequest raw) {
        return cluster.Heartbeat(std::move(request), *raw.env);
      });
}

void RegisterAdmin(RpcServer& server, AdminOps& admin) {
  HandleTyped<proto::AdminStatusRequest, proto::AdminStatusReply>(
      server, proto::METHOD_ADMIN_STATUS,
      [&admin](proto::AdminStatusRequest, RpcRequest raw) { return admin.Status(*raw.env); });
  HandleTyped<proto::VolumeCreateRequest, proto::VolumeCreateReply>(
      server, proto::METHOD_VOLUME_CREATE, [&admin](proto::VolumeCreateRequest request, RpcRequest raw) {
        return admin.CreateVolume(std::move(request), *raw.env);
      });
  HandleTyped<proto::VolumeListRequest, proto::VolumeListReply>(
      server, proto::METHOD_VOLUME_LIST, [&admin](proto::VolumeListRequest, RpcRequest) {
        return Ready(Result<proto::VolumeListReply>(admin.ListVolumes()));
      });
  HandleTyped<proto::VolumeShowRequest, proto::VolumeShowReply>(
      server, proto::METHOD_VOLUME_SHOW,
      [&admin](proto::VolumeShowRequest request, RpcRequest) { return Ready(admin.ShowVolume(request)); });
  HandleTyped<proto::VolumeDeleteRequest, proto::VolumeDeleteReply>(
      server, proto::METHOD_VOLUME_DELETE, [&admin](proto::VolumeDeleteRequest request, RpcRequest raw) {
        return admin.DeleteVolume(std::move(request), *raw.env);
      });
  HandleTyped<proto::ServerListRequest, proto::ServerListReply>(
      server, proto::METHOD_SERVER_LIST,
      [&admin](proto::ServerListRequest, RpcRequest) { return admin.ListServers(); });
  HandleTyped<proto::PgListRequest, proto::PgListReply>(
      server, proto::METHOD_PG_LIST,
      [&admin](proto::PgListRequest request, RpcRequest) { return admin.ListGroups(std::move(request)); });
  HandleTyped<proto::EventListRequest, proto::EventListReply>(
      server, proto::METHOD_EVENT_LIST, [&admin](proto::EventListRequest request, RpcRequest) {
        return Ready(Result<proto::EventListReply>(admin.ListEvents(request)));
      });
  HandleTyped<proto::ServerDrainRequest, proto::ServerDrainReply>(
      server, proto::METHOD_SERVER_DRAIN, [&admin](proto::ServerDrainRequest request, RpcRequest raw) {
        return admin.DrainServer(std::move(request), *raw.env);
      });
  HandleTyped<proto::ServerMaintenanceRequest, proto::ServerMaintenanceReply>(
      server, proto::METHOD_SERVER_MAINTENANCE, [&admin](proto::ServerMaintenanceRequest request, RpcRequest raw) {
        return admin.SetMaintenance(std::move(request), *raw.env);
      });
  HandleTyped<proto::ScrubStartRequest, proto::ScrubStartReply>(
      server, proto::METHOD_SCRUB_START, [&admin](proto::ScrubStartRequest request, RpcRequest raw) {
        return admin.StartScrub(std::move(request), *raw.env);
      });
  HandleTyped<proto::ServerRemoveRequest, proto::ServerRemoveReply>(
      server, proto::METHOD_SERVER_REMOVE, [&admin](proto::ServerRemoveRequest request, RpcRequest raw) {
        return admin.RemoveServer(std::move(request), *raw.env);
      });
}

void RegisterClients(RpcServer& server, ClientOps& clients) {
  HandleTyped<proto::ClientListRequest, proto::ClientListReply>(
      server, proto::METHOD_CLIENT_LIST,
      [&clients](proto::ClientListRequest request, RpcRequest raw) { return Ready(clients.List(request, *raw.env)); });
  HandleTyped<proto::ClientShowRequest, proto::ClientShowReply>(
      server, proto::METHOD_CLIENT_SHOW,
      [&clients](proto::ClientShowRequest request, RpcRequest raw) { return Ready(clients.Show(request, *raw.env)); });
  HandleTyped<proto::ClientEvictRequest, proto::ClientEvictReply>(
      server, proto::METHOD_CLIENT_EVICT, [&clients](proto::ClientEvictRequest request, RpcRequest raw) {
        return clients.Evict(std::move(request), *raw.env);
      });
}

void RegisterChecks(RpcServer& server, Checks& checks) {
  HandleTyped<proto::CheckStartRequest, proto::CheckStartReply>(
      server, proto::METHOD_CHECK_START,
      [&checks](proto::CheckStartRequest request, RpcRequest) { return Ready(checks.Start(request)); });
  HandleTyped<proto::CheckStatusRequest, proto::CheckStatusReply>(
      server, proto::METHOD_CHECK_STATUS,
      [&checks](proto::CheckStatusRequest request, RpcRequest) { return Ready(checks.Status(request)); });
  HandleTyped<proto::CheckCancelRequest, proto::CheckCancelReply>(
      server, proto::METHOD_CHECK_CANCEL,
      [&checks](proto::CheckCancelRequest request, RpcRequest) { return Ready(checks.Cancel(request)); });
  HandleTyped<proto::CheckRepairRequest, proto::CheckRepairReply>(
      server, proto::METHOD_CHECK_REPAIR,
      [&checks](proto::CheckRepairRequest request, RpcRequest) { return Ready(checks.Repair(request)); });
}

}  // namespace

void RegisterMethods(RpcServer& server, Service service) {
  RegisterOps(server, service.volumes);
  RegisterSessions(server, service.sessions);
  RegisterLeases(server, service.leases);
  RegisterCluster(server, service.cluster);
  RegisterAdmin(server, service.admin);
  RegisterClients(server, service.clients);
  RegisterChecks(server, service.checks);
}

}  // namespace gabion
