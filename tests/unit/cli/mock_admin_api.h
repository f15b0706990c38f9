#pragma once

#include <gmock/gmock.h>

#include <string>

#include "cli/admin_api.h"

namespace gabion {

class MockAdminApi : public AdminApi {
 public:
  MOCK_METHOD(Result<proto::AdminStatusReply>, Status, (), (override));
  MOCK_METHOD(Result<proto::VolumeCreateReply>, CreateVolume, (std::string, std::uint32_t), (override));
  MOCK_METHOD(Result<proto::VolumeListReply>, ListVolumes, (), (override));
  MOCK_METHOD(Result<proto::VolumeShowReply>, ShowVolume, (std::string), (override));
  MOCK_METHOD(Result<void>, DeleteVolume, (std::string, bool), (override));
  MOCK_METHOD(Result<proto::ServerListReply>, ListServers, (), (override));
  MOCK_METHOD(Result<proto::ServerDrainReply>, DrainServer, (std::uint32_t, bool), (override));
  MOCK_METHOD(Result<proto::ServerMaintenanceReply>, SetMaintenance, (proto::ServerMaintenanceRequest), (override));
  MOCK_METHOD(Result<void>, RemoveServer, (std::uint32_t), (override));
  MOCK_METHOD(Result<proto::ClientListReply>, ListClients, (proto::ClientListRequest), (override));
  MOCK_METHOD(Result<proto::ClientShowReply>, ShowClient, (std::uint64_t), (override));
  MOCK_METHOD(Result<proto::ClientEvictReply>, EvictClient, (std::uint64_t), (override));
  MOCK_METHOD(Result<proto::ScrubStartReply>, StartScrub, (std::uint32_t), (override));
  MOCK_METHOD(Result<proto::PgListReply>, ListGroups, (std::uint32_t), (override));
  MOCK_METHOD(Result<proto::EventListReply>, ListEvents, (std::uint32_t), (override));
  MOCK_METHOD(Result<proto::CheckStartReply>, StartCheck, (std::string), (override));
  MOCK_METHOD(Result<proto::CheckStatusReply>, CheckStatus, (proto::CheckStatusRequest), (override));
  MOCK_METHOD(Result<void>, CancelCheck, (std::uint64_t), (override));
  MOCK_METHOD(Result<void>, RepairCheck, (std::uint64_t), (override));
};

}  // namespace gabion
