#include "cli/app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/cli/app_fixture.h"

namespace gabion {
namespace {

using testing::_;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Return;

proto::VolumeEntry VolumeNamed(const std::string& name, std::uint32_t replicas) {
  proto::VolumeEntry volume;
  volume.set_name(name);
  volume.set_replicas(replicas);
  return volume;
}

class AppTest : public AppFixture {};

TEST_F(AppTest, CreatesWithThreeReplicasUnlessToldOtherwise) {
  proto::VolumeCreateReply reply;
  *reply.mutable_volume() = VolumeNamed("home", 3);
  EXPECT_CALL(api_, CreateVolume("home", 3)).WillOnce(Return(reply));
  EXPECT_EQ(Run({"volume", "create", "home"}), ExitCode::kDone);
  EXPECT_EQ(out_.str(), "created volume home with 3 replicas\n");
}

TEST_F(AppTest, OptionsMayFollowTheCommand) {
  proto::VolumeCreateReply reply;
  *reply.mutable_volume() = VolumeNamed("home", 2);
  EXPECT_CALL(api_, CreateVolume("home", 2)).WillOnce(Return(reply));
  EXPECT_EQ(
      Run({"volume", "create", "home", "--replicas", "2", "--metaserver", "there:5", "--json", "--timeout", "0.5"}),
      ExitCode::kDone);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["replicas"], 2);
  EXPECT_EQ(endpoints_, std::vector<Endpoint>({Endpoint{"there", 5}}));
  EXPECT_EQ(timeout_, std::chrono::milliseconds(500));
}

TEST_F(AppTest, WrongUsageIsOneLine) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"volume"},
                                             {"nonsense"},
                                             {"volume", "create"},
                                             {"status", "--nonsense"},
                                             {"volume", "create", "a", "--replicas", "0"},
                                             {"pg", "show", "0"},
                                             {"events", "--limit", "0"},
                                             {"server", "drain"}}) {
    err_.str("");
    EXPECT_EQ(Run(arguments), ExitCode::kUsage);
    const std::string message = err_.str();
    EXPECT_THAT(message, HasSubstr("see gabion --help"));
    EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 1) << message;
  }
  EXPECT_THAT(out_.str(), IsEmpty());
}

TEST_F(AppTest, HelpIsNoError) {
  EXPECT_EQ(Run({"--help"}), ExitCode::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("volume"));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(AppTest, UnreachableMetaserverSaysWhereAndWhatToDo) {
  EXPECT_CALL(api_, Status()).WillOnce(Return(Error(ErrorCode::kUnavailable, "connection refused")));
  EXPECT_EQ(Run({"status"}), ExitCode::kUnreachable);
  EXPECT_THAT(err_.str(), HasSubstr("meta:1"));
  EXPECT_THAT(err_.str(), HasSubstr("--metaserver"));
}

TEST_F(AppTest, RefusalIsPassedOn) {
  EXPECT_CALL(api_, ShowVolume("x")).WillOnce(Return(Error(ErrorCode::kNotFound, "no volume 'x'")));
  EXPECT_EQ(Run({"volume", "show", "x"}), ExitCode::kFailed);
  EXPECT_EQ(err_.str(), "gabion: no volume 'x'\n");
}

TEST_F(AppTest, DeleteWithoutTerminalNeedsYes) {
  EXPECT_CALL(api_, ShowVolume("x")).WillOnce(Return(proto::VolumeShowReply()));
  EXPECT_CALL(api_, DeleteVolume(_, _)).Times(0);
  EXPECT_NE(Run({"volume", "delete", "x"}), ExitCode::kDone);
  EXPECT_THAT(err_.str(), HasSubstr("--yes"));
}

TEST_F(AppTest, DeleteAsksForTheName) {
  proto::VolumeShowReply shown;
  *shown.mutable_volume() = VolumeNamed("x", 3);
  EXPECT_CALL(api_, ShowVolume("x")).WillOnce(Return(shown));
  EXPECT_CALL(api_, DeleteVolume("x", false)).WillOnce(Return(Result<void>()));
  EXPECT_EQ(Run({"volume", "delete", "x"}, true, "x\n"), ExitCode::kDone);
}

TEST_F(AppTest, DeleteStopsAtAnotherAnswer) {
  proto::VolumeShowReply shown;
  *shown.mutable_volume() = VolumeNamed("x", 3);
  EXPECT_CALL(api_, ShowVolume("x")).WillOnce(Return(shown));
  EXPECT_EQ(Run({"volume", "delete", "x"}, true, "yes\n"), ExitCode::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("nothing was deleted"));
}

TEST_F(AppTest, DeleteOfFullVolumeNamesForce) {
  EXPECT_CALL(api_, DeleteVolume("x", false)).WillOnce(Return(Result<void>(ErrorCode::kNotEmpty, "not empty")));
  EXPECT_EQ(Run({"volume", "delete", "x", "--yes"}), ExitCode::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("--force"));
}

TEST_F(AppTest, ListsServersAsJsonArray) {
  proto::ServerListReply reply;
  reply.add_servers()->set_endpoint("127.0.0.1:9");
  EXPECT_CALL(api_, ListServers()).WillOnce(Return(reply));
  EXPECT_EQ(Run({"--json", "server", "list"}), ExitCode::kDone);
  EXPECT_EQ(nlohmann::json::parse(out_.str())[0]["endpoint"], "127.0.0.1:9");
}

TEST_F(AppTest, DrainReturnsAtOnceIfTold) {
  proto::ServerDrainReply reply;
  reply.mutable_server()->set_server_id(3);
  reply.mutable_server()->set_pgs(12);
  EXPECT_CALL(api_, DrainServer(3, false)).WillOnce(Return(reply));
  EXPECT_EQ(Run({"server", "drain", "3", "--no-wait"}), ExitCode::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("12 placement groups move to other servers"));
}

TEST_F(AppTest, DrainReturnsWhenNothingIsLeft) {
  proto::ServerDrainReply reply;
  reply.mutable_server()->set_server_id(3);
  EXPECT_CALL(api_, DrainServer(3, false)).WillOnce(Return(reply));
  EXPECT_EQ(Run({"server", "drain", "3"}), ExitCode::kDone);
  EXPECT_EQ(out_.str(), "chunkserver 3 is drained: it may be stopped\n");
}

TEST_F(AppTest, ADrainCanBeTakenBack) {
  proto::ServerDrainReply reply;
  reply.mutable_server()->set_server_id(3);
  EXPECT_CALL(api_, DrainServer(3, true)).WillOnce(Return(reply));
  EXPECT_EQ(Run({"server", "undrain", "3", "--json"}), ExitCode::kDone);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["draining"], false);
}

TEST_F(AppTest, MaintenanceLastsAnHourUnlessToldOtherwise) {
  proto::ServerMaintenanceReply reply;
  reply.mutable_server()->set_server_id(3);
  reply.mutable_server()->set_maintenance_until_ns(3'600'000'000'000);
  std::vector<proto::ServerMaintenanceRequest> requests;
  EXPECT_CALL(api_, SetMaintenance(_)).WillRepeatedly([&](const proto::ServerMaintenanceRequest& request) {
    requests.push_back(request);
    return reply;
  });
  EXPECT_EQ(Run({"server", "maintenance", "3"}), ExitCode::kDone);
  EXPECT_EQ(out_.str(), "chunkserver 3 is in maintenance until 1970-01-01 01:00:00 UTC: it may be stopped\n");
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].server_id(), 3u);
  EXPECT_EQ(requests[0].for_s(), 3600u);
  EXPECT_FALSE(requests[0].force() || requests[0].end());
}

TEST_F(AppTest, MaintenanceTakesItsTimeAndForce) {
  std::vector<proto::ServerMaintenanceRequest> requests;
  EXPECT_CALL(api_, SetMaintenance(_)).WillOnce([&](const proto::ServerMaintenanceRequest& request) {
    requests.push_back(request);
    return proto::ServerMaintenanceReply();
  });
  EXPECT_EQ(Run({"server", "maintenance", "3", "--for", "7d", "--force", "--json"}), ExitCode::kDone);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].for_s(), 7u * 86'400);
  EXPECT_TRUE(requests[0].force());
  EXPECT_EQ(nlohmann::json::parse(out_.str())["maintenance_until_ns"], 0);
}

TEST_F(AppTest, MaintenanceEndsWhenTold) {
  std::vector<proto::ServerMaintenanceRequest> requests;
  EXPECT_CALL(api_, SetMaintenance(_)).WillOnce([&](const proto::ServerMaintenanceRequest& request) {
    requests.push_back(request);
    return proto::ServerMaintenanceReply();
  });
  EXPECT_EQ(Run({"server", "maintenance", "3", "--end"}), ExitCode::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("not in maintenance"));
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_TRUE(requests[0].end());
}

TEST_F(AppTest, MaintenanceRefusesTimesThatCannotBe) {
  const std::vector<std::vector<std::string>> kWrong = {
      {"--for", "0s"}, {"--for", "8d"}, {"--for", "soon"}, {"--end", "--for", "1h"}, {"--end", "--force"}};
  for (const std::vector<std::string>& options : kWrong) {
    std::vector<std::string> arguments = {"server", "maintenance", "3"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    EXPECT_EQ(Run(arguments), ExitCode::kUsage) << options.back();
  }
}

TEST_F(AppTest, RemoveIsRefusedWithTheReason) {
  EXPECT_CALL(api_, RemoveServer(3)).WillOnce(Return(Result<void>(ErrorCode::kBusy, "chunkserver 3 is running")));
  EXPECT_EQ(Run({"server", "remove", "3"}), ExitCode::kFailed);
  EXPECT_EQ(err_.str(), "gabion: chunkserver 3 is running\n");
}

TEST_F(AppTest, ListsAndShowsPlacementGroups) {
  proto::PgListReply reply;
  reply.add_pgs()->set_pg_id(7);
  EXPECT_CALL(api_, ListGroups(7)).WillOnce(Return(reply));
  EXPECT_EQ(Run({"pg", "show", "7", "--json"}), ExitCode::kDone);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["pg_id"], 7);
}

TEST_F(AppTest, ListsAllPlacementGroups) {
  EXPECT_CALL(api_, ListGroups(0)).WillOnce(Return(proto::PgListReply()));
  EXPECT_EQ(Run({"pg", "list"}), ExitCode::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("no placement groups"));
}

TEST_F(AppTest, ShowsTheLastEvents) {
  proto::EventListReply reply;
  reply.add_events()->set_text("chunkserver 3 is away");
  EXPECT_CALL(api_, ListEvents(2)).WillOnce(Return(reply));
  EXPECT_EQ(Run({"events", "--limit", "2"}), ExitCode::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("chunkserver 3 is away"));
}

}  // namespace
}  // namespace gabion
