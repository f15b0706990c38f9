#include "cli/output/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gabion {
namespace {

using testing::HasSubstr;

proto::VolumeEntry HomeVolume() {
  proto::VolumeEntry volume;
  volume.set_volume_id(7);
  volume.set_name("home");
  volume.set_replicas(3);
  volume.set_inodes(1234);
  volume.set_used_bytes(5'000'000'001);
  volume.set_created_ns(1'000'000'000);
  volume.set_sessions(2);
  return volume;
}

TEST(ReportTest, VolumeTableIsForPeople) {
  VolumeEntries volumes;
  *volumes.Add() = HomeVolume();
  EXPECT_EQ(VolumeTable(volumes),
            "VOLUME  REPLICAS  INODES     USED  CLIENTS  CREATED\n"
            "home           3   1,234  4.7 GiB        2  1970-01-01 00:00:01 UTC\n");
}

TEST(ReportTest, EmptyTablesSayWhatToDo) {
  EXPECT_THAT(VolumeTable(VolumeEntries()), HasSubstr("gabion volume create"));
  EXPECT_THAT(ServerTable(ServerEntries()), HasSubstr("gabion-chunkserver"));
}

TEST(ReportTest, JsonIsExact) {
  const auto json = nlohmann::json::parse(DumpJson(VolumeJson(HomeVolume())));
  EXPECT_EQ(json["used_bytes"], 5'000'000'001);
  EXPECT_EQ(json["name"], "home");
  EXPECT_EQ(json["created"], "1970-01-01 00:00:01 UTC");
}

TEST(ReportTest, JsonSurvivesNamesThatAreNoUtf8) {
  proto::ServerEntry server;
  server.set_endpoint("127.0.0.1:1");
  nlohmann::ordered_json json = ServerJson(server);
  json["host"] = "\xFF";
  EXPECT_THAT(DumpJson(json), HasSubstr("127.0.0.1:1"));
}

TEST(ReportTest, StatusTextNamesEveryPart) {
  proto::AdminStatusReply status;
  status.set_cluster_id("c1");
  status.set_software("gabion 0.1.0");
  status.set_pgs(64);
  status.set_pgs_healthy(64);
  status.set_pgs_writable(64);
  *status.add_volumes() = HomeVolume();
  proto::ServerEntry* server = status.add_servers();
  server->set_endpoint("127.0.0.1:4001");
  server->set_alive(true);
  server->set_capacity_bytes(100 << 20);
  server->set_used_bytes(25 << 20);
  const std::string text = StatusText(status);
  EXPECT_THAT(text, HasSubstr("health        OK\n"));
  EXPECT_THAT(text, HasSubstr("1 of 1 up"));
  EXPECT_THAT(text, HasSubstr("25.0 MiB used of 100 MiB (25 %)"));
  EXPECT_THAT(text, HasSubstr("home"));
  EXPECT_THAT(text, HasSubstr("127.0.0.1:4001"));
}

TEST(ReportTest, StatusJsonHasVolumesAndServers) {
  proto::AdminStatusReply status;
  *status.add_volumes() = HomeVolume();
  status.add_servers()->set_server_id(9);
  const auto json = nlohmann::json::parse(DumpJson(StatusJson(status)));
  EXPECT_EQ(json["health"], "degraded");
  EXPECT_EQ(json["volumes"][0]["name"], "home");
  EXPECT_EQ(json["servers"][0]["server_id"], 9);
}

}  // namespace
}  // namespace gabion
