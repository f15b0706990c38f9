#pragma once

#include "common/rpc/rpc_server.h"
#include "metaserver/admin/admin_ops.h"
#include "metaserver/admin/client_ops.h"
#include "metaserver/check/checks.h"
#include "metaserver/lease/lease_ops.h"
#include "metaserver/session/session_ops.h"

namespace gabion {

/// What the methods of the metaserver lead to. All outlive the RpcServer.
struct Service {
  VolumeTable& volumes;
  Cluster& cluster;
  SessionOps& sessions;
  LeaseOps& leases;
  AdminOps& admin;
  ClientOps& clients;
  Checks& checks;
};

/// The metaserver's method table. Before RpcServer::Start.
void RegisterMethods(RpcServer& server, Service service);

}  // namespace gabion
