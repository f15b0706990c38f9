#include "cli/rpc_admin_api.h"

#include <chrono>
#include <utility>

#include "common/base/check.h"
#include "common/env/real/event_loop.h"
#include "common/rpc/rpc_client.h"

namespace gabion {
namespace {

/// One call on a connection of its own: an administrator's command makes one call, so there is nothing to keep.
template <typename Request, typename Reply>
Task<void> CallOnce(Env* env, Endpoint endpoint, proto::Method method, const Request* request, Duration timeout,
                    Result<Reply>* result) {
  Identity identity;
  identity.role = proto::ROLE_ADMIN;
  RpcClient client(*env, std::move(endpoint), std::move(identity));
  const TimePoint deadline = env->clock.Now() + timeout;
  Payload no_payload;
  Result<TypedReply<Reply>> reply = co_await CallTyped<Reply>(client, method, *request, no_payload, deadline);
  co_await client.Stop();
  if (reply) {
    *result = std::move(reply->message);
  } else {
    *result = reply.error();
  }
}

class RpcAdminApi final : public AdminApi {
 public:
  RpcAdminApi(std::vector<Endpoint> metaservers, Duration timeout)
      : metaservers_(std::move(metaservers)), timeout_(timeout), loops_(1, false, Duration{0}) {
    CHECK(!metaservers_.empty());
    loops_.Start();
  }
  ~RpcAdminApi() override { loops_.Stop(); }
  RpcAdminApi(const RpcAdminApi&) = delete;
  RpcAdminApi& operator=(const RpcAdminApi&) = delete;

  Result<proto::AdminStatusReply> Status() override {
    return Call<proto::AdminStatusReply>(proto::METHOD_ADMIN_STATUS, proto::AdminStatusRequest());
  }

  Result<proto::VolumeCreateReply> CreateVolume(std::string name, std::uint32_t replicas) override {
    proto::VolumeCreateRequest request;
    request.set_name(std::move(name));
    request.set_replicas(replicas);
    return Call<proto::VolumeCreateReply>(proto::METHOD_VOLUME_CREATE, request);
  }

  Result<proto::VolumeListReply> ListVolumes() override {
    return Call<proto::VolumeListReply>(proto::METHOD_VOLUME_LIST, proto::VolumeListRequest());
  }

  Result<proto::VolumeShowReply> ShowVolume(std::string name) override {
    proto::VolumeShowRequest request;
    request.set_name(std::move(name));
    return Call<proto::VolumeShowReply>(proto::METHOD_VOLUME_SHOW, request);
  }

  Result<void> DeleteVolume(std::string name, bool force) override {
    proto::VolumeDeleteRequest request;
    request.set_name(std::move(name));
    request.set_force(force);
    TRY_ASSIGN([[maybe_unused]] auto reply, Call<proto::VolumeDeleteReply>(proto::METHOD_VOLUME_DELETE, request));
    return {};
  }

  Result<proto::ServerListReply> ListServers() override {
    return Call<proto::ServerListReply>(proto::METHOD_SERVER_LIST, proto::ServerListRequest());
  }

  Result<proto::ServerDrainReply> DrainServer(std::uint32_t server_id, bool undo) override {
    proto::ServerDrainRequest request;
    request.set_server_id(server_id);
    request.set_undo(undo);
    return Call<proto::ServerDrainReply>(proto::METHOD_SERVER_DRAIN, request);
  }

  Result<proto::ServerMaintenanceReply> SetMaintenance(proto::ServerMaintenanceRequest request) override {
    return Call<proto::ServerMaintenanceReply>(proto::METHOD_SERVER_MAINTENANCE, request);
  }

  Result<void> RemoveServer(std::uint32_t server_id) override {
    proto::ServerRemoveRequest request;
    request.set_server_id(server_id);
    TRY_ASSIGN([[maybe_unused]] auto reply, Call<proto::ServerRemoveReply>(proto::METHOD_SERVER_REMOVE, request));
    return {};
  }

  Result<proto::ClientListReply> ListClients(proto::ClientListRequest request) override {
    return Call<proto::ClientListReply>(proto::METHOD_CLIENT_LIST, request);
  }

  Result<proto::ClientShowReply> ShowClient(std::uint64_t session_id) override {
    proto::ClientShowRequest request;
    request.set_session_id(session_id);
    return Call<proto::ClientShowReply>(proto::METHOD_CLIENT_SHOW, request);
  }

  Result<proto::ClientEvictReply> EvictClient(std::uint64_t session_id) override {
    proto::ClientEvictRequest request;
    request.set_session_id(session_id);
    return Call<proto::ClientEvictReply>(proto::METHOD_CLIENT_EVICT, request);
  }

  Result<proto::ScrubStartReply> StartScrub(std::uint32_t server_id) override {
    proto::ScrubStartRequest request;
    request.set_server_id(server_id);
    return Call<proto::ScrubStartReply>(proto::METHOD_SCRUB_START, request);
  }

  Result<proto::PgListReply> ListGroups(std::uint32_t pg_id) override {
    proto::PgListRequest request;
    request.set_pg_id(pg_id);
    return Call<proto::PgListReply>(proto::METHOD_PG_LIST, request);
  }

  Result<proto::EventListReply> ListEvents(std::uint32_t limit) override {
    proto::EventListRequest request;
    request.set_limit(limit);
    return Call<proto::EventListReply>(proto::METHOD_EVENT_LIST, request);
  }

  Result<proto::CheckStartReply> StartCheck(std::string volume) override {
    proto::CheckStartRequest request;
    request.set_volume(std::move(volume));
    return Call<proto::CheckStartReply>(proto::METHOD_CHECK_START, request);
  }

  Result<proto::CheckStatusReply> CheckStatus(proto::CheckStatusRequest request) override {
    return Call<proto::CheckStatusReply>(proto::METHOD_CHECK_STATUS, request);
  }

  Result<void> CancelCheck(std::uint64_t check_id) override {
    proto::CheckCancelRequest request;
    request.set_check_id(check_id);
    TRY_ASSIGN([[maybe_unused]] auto reply, Call<proto::CheckCancelReply>(proto::METHOD_CHECK_CANCEL, request));
    return {};
  }

  Result<void> RepairCheck(std::uint64_t check_id) override {
    proto::CheckRepairRequest request;
    request.set_check_id(check_id);
    TRY_ASSIGN([[maybe_unused]] auto reply, Call<proto::CheckRepairReply>(proto::METHOD_CHECK_REPAIR, request));
    return {};
  }

 private:
  template <typename Reply, typename Request>
  Result<Reply> Call(proto::Method method, const Request& request) {
    Result<Reply> result(ErrorCode::kUnavailable, "no metaserver was asked");
    for (const Endpoint& endpoint : metaservers_) {
      loops_.RunAndWait(CallOnce<Request, Reply>(loops_.envs().front(), endpoint, method, &request, timeout_, &result));
      // Only of kUnavailable is it sure that nothing happened, so that asking another one is safe.
      if (result || result.error().code() != ErrorCode::kUnavailable) break;
    }
    return result;
  }

  std::vector<Endpoint> metaservers_;
  Duration timeout_;
  EventLoops loops_;
};

}  // namespace

std::unique_ptr<AdminApi> MakeRpcAdminApi(std::vector<Endpoint> metaservers, Duration timeout) {
  return std::make_unique<RpcAdminApi>(std::move(metaservers), timeout);
}

}  // namespace gabion
