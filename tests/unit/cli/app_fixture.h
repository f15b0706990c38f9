#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cli/app.h"

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
  MOCK_METHOD(Result<void>, RemoveServer, (std::uint32_t), (override));
  MOCK_METHOD(Result<proto::PgListReply>, ListGroups, (std::uint32_t), (override));
  MOCK_METHOD(Result<proto::EventListReply>, ListEvents, (std::uint32_t), (override));
  MOCK_METHOD(Result<proto::CheckStartReply>, StartCheck, (std::string), (override));
  MOCK_METHOD(Result<proto::CheckStatusReply>, CheckStatus, (proto::CheckStatusRequest), (override));
  MOCK_METHOD(Result<void>, CancelCheck, (std::uint64_t), (override));
  MOCK_METHOD(Result<void>, RepairCheck, (std::uint64_t), (override));
};

/// Runs the `gabion` command on a metaserver that is a mock.
class AppFixture : public testing::Test {
 protected:
  ExitCode Run(std::vector<std::string> arguments, bool interactive = false, const std::string& input = "") {
    in_.str(input);
    const AppHost host{{in_, out_, err_, interactive},
                       [](const std::string&) { return std::optional<std::string>("meta:1"); },
                       [this](std::vector<Endpoint> endpoints, Duration timeout) {
                         endpoints_ = std::move(endpoints);
                         timeout_ = timeout;
                         return std::move(api_owner_);
                       },
                       [this](Duration) { return --polls_until_interrupt_ != 0; }};
    return RunApp(arguments, host);
  }

  std::unique_ptr<MockAdminApi> api_owner_ = std::make_unique<testing::StrictMock<MockAdminApi>>();
  MockAdminApi& api_ = *api_owner_;
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream err_;
  std::vector<Endpoint> endpoints_;
  Duration timeout_{0};
  int polls_until_interrupt_ = -1;  // then the user presses Ctrl-C; negative: never
};

}  // namespace gabion
