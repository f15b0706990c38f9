#include "cli/output/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

proto::AdminStatusReply StatusOf(int servers_up, int servers_down) {
  proto::AdminStatusReply status;
  for (int i = 0; i < servers_up + servers_down; ++i) status.add_servers()->set_alive(i < servers_up);
  status.set_pgs(64);
  status.set_pgs_healthy(64);
  status.set_pgs_writable(64);
  return status;
}

TEST(HealthTest, EverythingUpIsOk) {
  const Health health = AssessHealth(StatusOf(3, 0));
  EXPECT_EQ(health.level, HealthLevel::kOk);
  EXPECT_THAT(health.reasons, IsEmpty());
}

TEST(HealthTest, NoServersFails) {
  const Health health = AssessHealth(proto::AdminStatusReply());
  EXPECT_EQ(health.level, HealthLevel::kFailing);
  EXPECT_THAT(health.reasons, ElementsAre("no chunkserver has registered"));
}

TEST(HealthTest, ServerDownWithWaitingWritesFails) {
  proto::AdminStatusReply status = StatusOf(2, 1);
  status.set_pgs_healthy(0);
  status.set_pgs_writable(1);
  const Health health = AssessHealth(status);
  EXPECT_EQ(health.level, HealthLevel::kFailing);
  EXPECT_THAT(health.reasons,
              ElementsAre("1 of 3 chunkservers down", "writes to 63 of 64 placement groups wait for a chunkserver"));
}

proto::RecoveryStatus RecoveryOf(std::uint32_t groups, std::uint32_t copies) {
  proto::RecoveryStatus recovery;
  recovery.set_pgs_degraded(groups + 1);
  recovery.set_pgs_with_fewest(groups);
  recovery.set_fewest_copies(copies);
  return recovery;
}

std::string OnlyReason(const proto::RecoveryStatus& recovery) {
  proto::AdminStatusReply status = StatusOf(3, 0);
  *status.mutable_recovery() = recovery;
  const Health health = AssessHealth(status);
  EXPECT_EQ(health.level, recovery.fewest_copies() == 0 ? HealthLevel::kFailing : HealthLevel::kDegraded);
  EXPECT_EQ(health.reasons.size(), 1u);
  return health.reasons.front();
}

TEST(HealthTest, DataAtRiskNamesTheRemedy) {
  proto::RecoveryStatus recovery = RecoveryOf(2, 1);
  recovery.add_missing_servers(3);
  EXPECT_EQ(OnlyReason(recovery), "2 placement groups have one copy left in sync: bring chunkserver 3 back");
  recovery.set_joiners(5);
  recovery.set_bytes_left(12'300ull << 20);
  EXPECT_EQ(OnlyReason(recovery),
            "2 placement groups have one copy left in sync: bring chunkserver 3 back, or wait for the rebuild "
            "(12.0 GiB left)");
  recovery.clear_missing_servers();
  EXPECT_EQ(OnlyReason(recovery),
            "2 placement groups have one copy left in sync: wait for the rebuild (12.0 GiB left)");
  EXPECT_EQ(OnlyReason(RecoveryOf(1, 2)), "1 placement group has 2 copies left in sync: add a chunkserver with room");
}

TEST(HealthTest, DataThatCannotBeReachedFails) {
  proto::RecoveryStatus recovery = RecoveryOf(1, 0);
  for (std::uint32_t number = 1; number <= 6; ++number) recovery.add_missing_servers(number);
  recovery.set_joiners(1);
  EXPECT_EQ(OnlyReason(recovery),
            "1 placement group has no copy in sync that can be reached: bring chunkservers 1, 2, 3, 4 and others back");
}

TEST(HealthTest, ServerDownWithoutWaitingWritesIsDegraded) {
  EXPECT_EQ(AssessHealth(StatusOf(3, 1)).level, HealthLevel::kDegraded);
}

TEST(HealthTest, MaintenanceIsDegradedAndSaysUntilWhen) {
  proto::AdminStatusReply status = StatusOf(2, 1);
  for (int i = 0; i < 3; ++i) status.mutable_servers(i)->set_server_id(static_cast<std::uint32_t>(i + 1));
  status.mutable_servers(1)->set_maintenance_until_ns(1);
  status.mutable_servers(2)->set_maintenance_until_ns(1);
  const Health health = AssessHealth(status);
  EXPECT_EQ(health.level, HealthLevel::kDegraded);
  EXPECT_THAT(health.reasons, ElementsAre("chunkserver 2 is in maintenance until 1970-01-01 00:00:00 UTC",
                                          "chunkserver 3 is down, in maintenance until 1970-01-01 00:00:00 UTC"));
}

TEST(HealthTest, AServerThatHasLostAStoreIsNotJustDown) {
  proto::AdminStatusReply status = StatusOf(3, 0);
  proto::ServerEntry& server = *status.mutable_servers(1);
  server.set_server_id(2);
  server.set_alive(false);
  server.set_lost_store(true);
  const Health health = AssessHealth(status);
  EXPECT_EQ(health.level, HealthLevel::kDegraded);
  EXPECT_THAT(health.reasons,
              ElementsAre("chunkserver 2 has lost a store and begins afresh when other copies of all it "
                          "had are in sync and up"));
}

TEST(HealthTest, FailedDiskIsDegraded) {
  proto::AdminStatusReply status = StatusOf(3, 0);
  status.mutable_servers(1)->set_disks_failed(1);
  const Health health = AssessHealth(status);
  EXPECT_EQ(health.level, HealthLevel::kDegraded);
  EXPECT_THAT(health.reasons, ElementsAre("1 disk failed"));
}

}  // namespace
}  // namespace gabion
