#include "cli/output/drain_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

proto::ServerEntry Draining(std::uint32_t groups, std::uint64_t mib_left) {
  proto::ServerEntry server;
  server.set_server_id(3);
  server.set_draining(true);
  server.set_pgs(groups);
  server.set_drain_bytes_left(mib_left << 20);
  return server;
}

TEST(DrainProgressTest, TellsWhatIsLeftAndHowLongItTakes) {
  DrainProgress progress;
  progress.Take(seconds(0), Draining(12, 1000));
  EXPECT_EQ(progress.Line(), "chunkserver 3: 12 placement groups, 1000 MiB left");
  progress.Take(seconds(10), Draining(10, 800));
  EXPECT_EQ(progress.Line(), "chunkserver 3: 10 placement groups, 800 MiB left, 20.0 MiB/s, about 40 s");
}

TEST(DrainProgressTest, TheRateIsThatOfTheLastHalfMinute) {
  DrainProgress progress;
  progress.Take(seconds(0), Draining(12, 10'000));
  progress.Take(seconds(10), Draining(11, 1000));
  progress.Take(seconds(40), Draining(10, 700));
  EXPECT_THAT(progress.Line(), HasSubstr("10.0 MiB/s, about 1 min 10 s"));
}

TEST(DrainProgressTest, ThereIsNoRateWhileMoreIsWrittenThanMoved) {
  DrainProgress progress;
  progress.Take(seconds(0), Draining(1, 100));
  progress.Take(seconds(1), Draining(1, 110));
  EXPECT_EQ(progress.Line(), "chunkserver 3: 1 placement group, 110 MiB left");
}

TEST(DrainProgressTest, SaysWhereToLookWhenNothingMoves) {
  DrainProgress progress;
  for (int i = 0; i < 60; ++i) progress.Take(seconds(i), Draining(2, 100));
  EXPECT_THAT(progress.Line(), Not(HasSubstr("nothing has moved")));
  progress.Take(seconds(60), Draining(2, 100));
  EXPECT_THAT(progress.Line(), HasSubstr("nothing has moved for 1 min 0 s"));
  EXPECT_THAT(progress.Line(), HasSubstr("gabion status"));
  progress.Take(seconds(61), Draining(1, 100));
  EXPECT_THAT(progress.Line(), Not(HasSubstr("nothing has moved")));
}

}  // namespace
}  // namespace gabion
