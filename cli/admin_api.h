#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "proto/admin.pb.h"

namespace gabion {

/// What a metaserver does for administrators. Each call blocks its thread until the answer or the deadline; a program
/// that does one thing and ends needs no more.
///
/// Errors: what the metaserver answered; kUnavailable (no metaserver was reached, nothing happened), kConnectionLost
/// and kDeadlineExceeded (it may or may not have happened), kProtocol, kVersionMismatch.
class AdminApi {
 public:
  virtual ~AdminApi() = default;

  virtual Result<proto::AdminStatusReply> Status() = 0;
  /// `replicas` 0: the metaserver's default. Errors: kExists, kInvalidArgument.
  virtual Result<proto::VolumeCreateReply> CreateVolume(std::string name, std::uint32_t replicas) = 0;
  virtual Result<proto::VolumeListReply> ListVolumes() = 0;
  /// Errors: kNotFound.
  virtual Result<proto::VolumeShowReply> ShowVolume(std::string name) = 0;
  /// Errors: kNotFound; kNotEmpty if it has files and `force` is false; kBusy.
  virtual Result<void> DeleteVolume(std::string name, bool force) = 0;
  virtual Result<proto::ServerListReply> ListServers() = 0;
  /// Errors: kNotFound.
  virtual Result<proto::ServerDrainReply> DrainServer(std::uint32_t server_id, bool undo) = 0;
  /// Errors: kNotFound, kInvalidArgument; kBusy: data would be out of reach without it.
  virtual Result<proto::ServerMaintenanceReply> SetMaintenance(proto::ServerMaintenanceRequest request) = 0;
  /// Errors: kNotFound; kBusy: it is running, or a member of placement groups.
  virtual Result<void> RemoveServer(std::uint32_t server_id) = 0;
  /// One page. Errors: kNotFound (volume).
  virtual Result<proto::ClientListReply> ListClients(proto::ClientListRequest request) = 0;
  /// Errors: kNotFound.
  virtual Result<proto::ClientShowReply> ShowClient(std::uint64_t session_id) = 0;
  /// It is bound to happen then. Errors: kNotFound.
  virtual Result<proto::ClientEvictReply> EvictClient(std::uint64_t session_id) = 0;
  /// `server_id` 0: all. Errors: kNotFound.
  virtual Result<proto::ScrubStartReply> StartScrub(std::uint32_t server_id) = 0;
  /// `pg_id` 0: all. Errors: kNotFound.
  virtual Result<proto::PgListReply> ListGroups(std::uint32_t pg_id) = 0;
  /// The last `limit`, the newest last.
  virtual Result<proto::EventListReply> ListEvents(std::uint32_t limit) = 0;
  /// `volume` empty: all. Errors: kNotFound; kBusy: one runs already.
  virtual Result<proto::CheckStartReply> StartCheck(std::string volume) = 0;
  /// Errors: kNotFound: there is no such check any more.
  virtual Result<proto::CheckStatusReply> CheckStatus(proto::CheckStatusRequest request) = 0;
  /// Errors: kNotFound.
  virtual Result<void> CancelCheck(std::uint64_t check_id) = 0;
  /// Errors: kNotFound; kBusy: it has not finished.
  virtual Result<void> RepairCheck(std::uint64_t check_id) = 0;
};

}  // namespace gabion
