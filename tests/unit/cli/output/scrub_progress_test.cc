#include "cli/output/scrub_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

ServerEntries Scrubbing(std::uint64_t mib_done, std::uint64_t mib) {
  ServerEntries servers;
  proto::ScrubReport& scrub = *servers.Add()->mutable_scrub();
  scrub.set_running(true);
  scrub.set_pass_bytes(mib << 20);
  scrub.set_pass_bytes_done(mib_done << 20);
  servers.Add();  // waits
  return servers;
}

TEST(ScrubProgressTest, TellsHowFarItIsAndHowLongItTakes) {
  ScrubProgress progress;
  progress.Take(seconds(0), Scrubbing(0, 1000), 2);
  EXPECT_EQ(progress.Line(), "scrub: 0 % of 1000 MiB, 2 chunkservers not done");
  progress.Take(seconds(10), Scrubbing(200, 1000), 1);
  EXPECT_EQ(progress.Line(), "scrub: 20 % of 1000 MiB, 1 chunkserver not done, 20.0 MiB/s, about 40 s");
}

TEST(ScrubProgressTest, AServerThatBeginsAnewHasNoRate) {
  ScrubProgress progress;
  progress.Take(seconds(0), Scrubbing(500, 1000), 1);
  progress.Take(seconds(1), Scrubbing(10, 1000), 1);
  EXPECT_EQ(progress.Line(), "scrub: 1 % of 1000 MiB, 1 chunkserver not done");
}

TEST(ScrubProgressTest, SaysWhereToLookWhenNothingMoves) {
  ScrubProgress progress;
  for (int i = 0; i < 60; ++i) progress.Take(seconds(i), Scrubbing(1, 100), 1);
  EXPECT_THAT(progress.Line(), Not(HasSubstr("nothing has moved")));
  progress.Take(seconds(60), Scrubbing(1, 100), 1);
  EXPECT_THAT(progress.Line(), HasSubstr("nothing has moved for 1 min 0 s"));
  EXPECT_THAT(progress.Line(), HasSubstr("gabion scrub status"));
}

}  // namespace
}  // namespace gabion
