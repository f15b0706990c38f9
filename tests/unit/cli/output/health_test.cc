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
              ElementsAre("1 of 3 chunkservers down", "writes to 63 of 64 placement groups wait for a chunkserver",
                          "64 of 64 placement groups lack a live replica"));
}

TEST(HealthTest, ServerDownWithoutWaitingWritesIsDegraded) {
  EXPECT_EQ(AssessHealth(StatusOf(3, 1)).level, HealthLevel::kDegraded);
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
