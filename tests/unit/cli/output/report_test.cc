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

TEST(ReportTest, StatusTextTellsOfScrubWhileItRunsAndOfWhatItCouldNotRepair) {
  proto::AdminStatusReply status;
  proto::ScrubReport& scrub = *status.add_servers()->mutable_scrub();
  EXPECT_THAT(StatusText(status), testing::Not(HasSubstr("scrub")));
  scrub.set_running(true);
  scrub.set_pass_bytes(200);
  scrub.set_pass_bytes_done(50);
  EXPECT_THAT(StatusText(status), HasSubstr("scrub         25 % done on 1 chunkserver\n"));
  scrub.set_failed_chunks(3);
  EXPECT_THAT(StatusText(status), HasSubstr("scrub found 3 chunks with a copy that could not be read or repaired"));
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

proto::PgStatus DegradedGroup() {
  proto::PgStatus pg;
  pg.set_pg_id(12);
  pg.set_epoch(9);
  pg.set_replicas(3);
  pg.set_min_replicas(2);
  pg.set_primary(2);
  pg.set_writable(true);
  for (std::uint32_t number = 1; number <= 4; ++number) {
    proto::PgMemberEntry* member = pg.add_members();
    member->set_server_id(number);
    member->set_alive(number != 4);
  }
  pg.mutable_members(2)->set_state(proto::PG_MEMBER_JOINING);
  pg.mutable_members(2)->set_progress_known(true);
  pg.mutable_members(2)->set_chunks_left(3);
  pg.mutable_members(2)->set_bytes_left(64 << 20);
  pg.mutable_members(3)->set_state(proto::PG_MEMBER_AWAY);
  pg.mutable_members(3)->set_since_epoch(5);
  return pg;
}

TEST(ReportTest, PgTableShowsWhoLacksData) {
  PgStatuses pgs;
  *pgs.Add() = DegradedGroup();
  EXPECT_EQ(PgTable(pgs),
            "PG  STATE     IN SYNC  EPOCH  MEMBERS                      LEFT\n"
            "12  degraded   2 of 3      9  1 2* 3(joining) 4(away)  64.0 MiB\n");
  pgs.Mutable(0)->set_writable(false);
  EXPECT_THAT(PgTable(pgs), HasSubstr("read-only"));
  for (proto::PgMemberEntry& member : *pgs.Mutable(0)->mutable_members()) member.set_alive(false);
  EXPECT_THAT(PgTable(pgs), HasSubstr("unavailable"));
}

TEST(ReportTest, PgFactsNameEveryMember) {
  EXPECT_EQ(PgFacts(DegradedGroup()),
            "placement group  12\n"
            "state            degraded\n"
            "in sync          2 of 3; changes wait below 2\n"
            "epoch            9\n"
            "chunkserver 1    in sync\n"
            "chunkserver 2    in sync, the primary\n"
            "chunkserver 3    is brought in sync: 3 chunks, 64.0 MiB left, 0 B sent\n"
            "chunkserver 4    away since epoch 5, its server is down\n");
}

TEST(ReportTest, PgJsonHasProgressWhereItIsKnown) {
  const auto json = nlohmann::json::parse(DumpJson(PgJson(DegradedGroup())));
  EXPECT_EQ(json["members"][0]["state"], "in_sync");
  EXPECT_FALSE(json["members"][0].contains("bytes_left"));
  EXPECT_EQ(json["members"][2]["bytes_left"], 64 << 20);
  EXPECT_EQ(json["members"][3]["state"], "away");
}

TEST(ReportTest, EventsHaveTimesAndMarks) {
  EventEntries events;
  EXPECT_EQ(EventLines(events), "nothing has happened\n");
  proto::EventEntry* event = events.Add();
  event->set_number(5);
  event->set_kind("server-away");
  event->set_text("chunkserver 3 is away");
  event->set_warning(true);
  EXPECT_EQ(EventLines(events),
            "TIME                        EVENT\n"
            "1970-01-01 00:00:00 UTC  !  chunkserver 3 is away\n");
  EXPECT_EQ(nlohmann::json::parse(DumpJson(EventsJson(events)))[0]["kind"], "server-away");
}

TEST(ReportTest, StatusTellsHowFarRecoveryHasCome) {
  proto::AdminStatusReply status;
  EXPECT_THAT(StatusText(status), HasSubstr("nothing to do"));
  status.mutable_recovery()->set_pgs_degraded(1);
  EXPECT_THAT(StatusText(status), HasSubstr("waits for chunkservers"));
  status.mutable_recovery()->set_joiners(2);
  status.mutable_recovery()->set_bytes_left(1 << 20);
  status.mutable_recovery()->set_bytes_sent(2 << 20);
  EXPECT_THAT(StatusText(status), HasSubstr("2 members being brought in sync: 1.0 MiB left, 2.0 MiB sent"));
  EXPECT_EQ(nlohmann::json::parse(DumpJson(StatusJson(status)))["recovery"]["bytes_left"], 1 << 20);
}

TEST(ReportTest, StatusTellsWhetherGroupsMove) {
  proto::AdminStatusReply status;
  EXPECT_THAT(StatusText(status), HasSubstr("nothing to move"));
  status.mutable_balance()->set_under_way(true);
  EXPECT_THAT(StatusText(status), HasSubstr("space of groups that have moved is given back"));
  status.mutable_balance()->set_pgs_moving(2);
  status.mutable_balance()->set_bytes_left(1 << 20);
  EXPECT_THAT(StatusText(status), HasSubstr("under way: 2 groups moving, 1.0 MiB left"));
  EXPECT_EQ(nlohmann::json::parse(DumpJson(StatusJson(status)))["balance"]["pgs_moving"], 2);
}

TEST(ReportTest, ServersHaveTheirFailureDomains) {
  ServerEntries servers;
  servers.Add()->set_host("h1");
  servers.Mutable(0)->set_rack("r2");
  servers.Mutable(0)->set_zone("z3");
  EXPECT_THAT(ServerTable(servers), testing::ContainsRegex("h1 +r2 +z3"));
  EXPECT_EQ(ServerJson(servers.Get(0))["rack"], "r2");
  EXPECT_EQ(ServerJson(servers.Get(0))["zone"], "z3");
}

TEST(ReportTest, ServerTableShowsDrains) {
  ServerEntries servers;
  servers.Add()->set_alive(true);
  servers.Mutable(0)->set_draining(true);
  servers.Mutable(0)->set_pgs(4);
  EXPECT_THAT(ServerTable(servers), HasSubstr("draining (4 left)"));
  servers.Mutable(0)->set_pgs(0);
  EXPECT_THAT(ServerTable(servers), HasSubstr("drained"));
  servers.Mutable(0)->set_alive(false);
  EXPECT_THAT(ServerTable(servers), HasSubstr("DOWN, drained"));
  servers.Mutable(0)->set_draining(false);
  servers.Mutable(0)->set_maintenance_until_ns(1);
  EXPECT_THAT(ServerTable(servers), HasSubstr("DOWN, maintenance until 1970-01-01 00:00:00 UTC"));
}

}  // namespace
}  // namespace gabion
