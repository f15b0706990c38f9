#pragma once

#include "metaserver/server.h"
#include "metaserver/volume/volume_table.h"
#include "proto/admin.pb.h"

namespace gabion {

/// The administrator's requests. Any loop. Errors are those of VolumeTable and Cluster; kNotFound for what is unknown.
class AdminOps {
 public:
  AdminOps(VolumeTable& volumes, Cluster& cluster, const MetaServerOptions& options, TimePoint started)
      : volumes_(volumes), cluster_(cluster), options_(options), started_(started) {}

  Task<Result<proto::AdminStatusReply>> Status(Env& env);
  Task<Result<proto::VolumeCreateReply>> CreateVolume(proto::VolumeCreateRequest request, Env& env);
  proto::VolumeListReply ListVolumes();
  Result<proto::VolumeShowReply> ShowVolume(const proto::VolumeShowRequest& request);
  Task<Result<proto::VolumeDeleteReply>> DeleteVolume(proto::VolumeDeleteRequest request, Env& env);
  Task<Result<proto::ServerListReply>> ListServers();
  Task<Result<proto::PgListReply>> ListGroups(proto::PgListRequest request);
  proto::EventListReply ListEvents(const proto::EventListRequest& request);
  Task<Result<proto::ServerDrainReply>> DrainServer(proto::ServerDrainRequest request, Env& env);
  Task<Result<proto::ServerMaintenanceReply>> SetMaintenance(proto::ServerMaintenanceRequest request, Env& env);
  Task<Result<proto::ScrubStartReply>> StartScrub(proto::ScrubStartRequest request, Env& env);
  Task<Result<proto::ServerRemoveReply>> RemoveServer(proto::ServerRemoveRequest request, Env& env);

 private:
  VolumeTable& volumes_;
  Cluster& cluster_;
  const MetaServerOptions& options_;
  const TimePoint started_;
};

}  // namespace gabion
