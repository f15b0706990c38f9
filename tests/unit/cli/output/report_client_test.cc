#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/output/report.h"

namespace gabion {
namespace {

using testing::HasSubstr;

proto::ClientEntry Silent() {
  proto::ClientEntry client;
  client.set_session_id(12);
  client.set_volume_id(3);
  client.set_volume("home");
  client.set_host("host-a");
  client.set_mountpoint("/mnt/home");
  client.set_software("gabion 0.1.0");
  client.set_state(proto::CLIENT_SILENT);
  client.set_renewed_ms(23'400);
  client.set_heard_ms(4'000);
  client.set_opened_ns(1'000'000'000);
  client.set_open_handles(1234);
  client.set_leases(56);
  client.set_recalls(2);
  client.set_recall_ms(34'000);
  return client;
}

TEST(ReportClientTest, TheTableTellsWhoKeepsOthersWaiting) {
  ClientEntries clients;
  *clients.Add() = Silent();
  proto::ClientEntry& other = *clients.Add();
  other.set_session_id(9);
  other.set_volume("home");
  other.set_host("b");
  other.set_mountpoint("/m\nnt");
  other.set_read_only(true);
  EXPECT_EQ(ClientTable(clients),
            "SESSION  VOLUME  HOST    MOUNTPOINT  STATE        MODE  HANDLES  LEASES  TO RETURN   SOFTWARE\n"
            "     12  home    host-a  /mnt/home   silent 23 s  rw      1,234      56  2 for 34 s  gabion 0.1.0\n"
            "      9  home    b       /m?nt       active       ro          0       0\n");
  EXPECT_THAT(ClientTable(ClientEntries()), HasSubstr("gabion-mount"));
}

TEST(ReportClientTest, EveryStateHasItsWord) {
  const std::pair<proto::ClientState, const char*> kWords[] = {{proto::CLIENT_ACTIVE, "active"},
                                                               {proto::CLIENT_SILENT, "silent"},
                                                               {proto::CLIENT_EVICTING, "evicting"},
                                                               {proto::CLIENT_EVICTED, "evicted"},
                                                               {proto::CLIENT_RESUMING, "resuming"}};
  for (const auto& [state, word] : kWords) {
    proto::ClientEntry client;
    client.set_state(state);
    EXPECT_EQ(ClientJson(client)["state"], word);
  }
}

TEST(ReportClientTest, FactsTellWhatItHasToReturnAndWhatIsDirty) {
  proto::ClientShowReply shown;
  *shown.mutable_client() = Silent();
  shown.set_read_leases(53);
  shown.set_write_leases(3);
  shown.set_recalls_total(120);
  shown.set_locks(2);
  shown.set_lock_waits(1);
  EXPECT_THAT(ClientFacts(shown), HasSubstr("dirty          not known"));
  shown.set_dirty_bytes(12'582'912);
  proto::ClientRecall& recall = *shown.add_oldest_recalls();
  recall.set_ino(17);
  recall.set_write(true);
  recall.set_asked_ms(34'000);
  const std::string text = ClientFacts(shown);
  EXPECT_THAT(text, HasSubstr("state          silent 23 s\n"));
  EXPECT_THAT(text, HasSubstr("last heard     4 s ago, renewed 23 s ago\n"));
  EXPECT_THAT(text, HasSubstr("leases         53 to read, 3 to write\n"));
  EXPECT_THAT(text, HasSubstr("has to return  2 leases: inode 17 (to write) for 34 s, ...\n"));
  EXPECT_THAT(text, HasSubstr("recalls        120 since"));
  EXPECT_THAT(text, HasSubstr("locks          2 held, 1 waited for\n"));
  EXPECT_THAT(text, HasSubstr("dirty          12.0 MiB (12,582,912 bytes), as of the last renewal\n"));
}

TEST(ReportClientTest, JsonIsExact) {
  proto::ClientShowReply shown;
  *shown.mutable_client() = Silent();
  auto json = nlohmann::json::parse(DumpJson(ShownClientJson(shown)));
  EXPECT_EQ(json["renewed_ms"], 23'400);
  EXPECT_EQ(json["opened"], "1970-01-01 00:00:01 UTC");
  EXPECT_TRUE(json["dirty_bytes"].is_null());
  shown.set_dirty_bytes(0);
  shown.add_oldest_recalls()->set_ino(17);
  json = nlohmann::json::parse(DumpJson(ShownClientJson(shown)));
  EXPECT_EQ(json["dirty_bytes"], 0);
  EXPECT_EQ(json["oldest_recalls"][0]["ino"], 17);
}

}  // namespace
}  // namespace gabion
