// What went bad on a disk is found although nobody reads it, and put right from another copy.
#include "chunkserver/pg/scrub.h"

#include "tests/unit/chunkserver/test_cluster.h"

namespace gabion {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t kScrubbed = 7;
constexpr std::uint32_t kScrubbedBytes = 300'000;

class ScrubTest : public testing::Test {
 protected:
  ScrubTest() {
    EXPECT_EQ(CodeOf(cluster_.Write(kScrubbed, 0, bytes_)), ErrorCode::kOk);
    EXPECT_TRUE(cluster_.WaitUntilNothingIsUnsettled());
  }

  /// One bit of the chunk's block at `offset`, as the server's disk has it.
  void Spoil(int server, std::size_t offset) {
    SimPlatter& platter = cluster_.platter(server);
    for (const std::string& file : platter.FileNames()) {
      const std::size_t at = platter.Contents(file, 0, 2 * kMiB).find(bytes_.substr(offset, kBlockBytes));
      if (at == std::string::npos) continue;
      platter.FlipBit(file, at + 100, 3);
      return;
    }
    ADD_FAILURE() << "the block at " << offset << " is not on server " << server;
  }

  proto::ScrubReport ReportAfterAPass() {
    const std::uint64_t before = cluster_.NextHeartbeat(1).scrub().passes();
    for (int i = 0; i < 60 && cluster_.NextHeartbeat(1).scrub().passes() < before + 2; ++i) {
      cluster_.world().RunFor(seconds(1));
    }
    return cluster_.NextHeartbeat(1).scrub();
  }

  TestCluster cluster_{{.scrub_interval = seconds(5)}};
  const std::string bytes_ = Pattern(kScrubbedBytes, 1);
};

TEST_F(ScrubTest, WhatIsGoodIsLeftAlone) {
  const proto::ScrubReport report = ReportAfterAPass();
  EXPECT_GE(report.passes(), 2u);
  EXPECT_EQ(report.repaired_bytes(), 0u);
  EXPECT_EQ(report.failed_chunks(), 0u);
}

TEST_F(ScrubTest, BadBlocksOfAMemberAreReplaced) {
  Spoil(2, 8192);
  Spoil(2, 65'536);
  Spoil(3, 8192);
  const proto::ScrubReport report = ReportAfterAPass();
  EXPECT_EQ(report.repaired_bytes(), 3 * kBlockBytes);
  EXPECT_EQ(report.failed_chunks(), 0u);
  EXPECT_TRUE(cluster_.ReadAll(kScrubbed, 0, kScrubbedBytes) == bytes_);
}

TEST_F(ScrubTest, BadBlockOfThePrimaryIsReplaced) {
  Spoil(1, 8192);
  Spoil(2, 8192);
  const proto::ScrubReport report = ReportAfterAPass();
  EXPECT_EQ(report.repaired_bytes(), 2 * kBlockBytes);
  EXPECT_EQ(report.failed_chunks(), 0u);
  EXPECT_TRUE(cluster_.ReadAll(kScrubbed, 0, kScrubbedBytes) == bytes_);
}

TEST_F(ScrubTest, RepairOfTheLastBlockLeavesTheLengthAsItIs) {
  static_assert(kScrubbedBytes % kBlockBytes != 0);
  const std::size_t last = kScrubbedBytes / kBlockBytes * kBlockBytes;
  Spoil(1, last);
  const proto::ScrubReport report = ReportAfterAPass();
  EXPECT_EQ(report.repaired_bytes(), kBlockBytes);
  EXPECT_EQ(report.failed_chunks(), 0u);
  EXPECT_TRUE(cluster_.ReadAll(kScrubbed, 0, kScrubbedBytes) == bytes_);
  const Result<proto::StatChunkReply> stat = cluster_.Stat(1, kScrubbed);
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->length_bytes(), kScrubbedBytes);
}

TEST_F(ScrubTest, WhatIsBadEverywhereIsSaid) {
  for (int server = 1; server <= 3; ++server) Spoil(server, 8192);
  const proto::ScrubReport report = ReportAfterAPass();
  EXPECT_GE(report.failed_chunks(), 1u);
  EXPECT_EQ(CodeOf(cluster_.Read(1, kScrubbed, 8192, kBlockBytes)), ErrorCode::kCorrupt);
  EXPECT_EQ(CodeOf(cluster_.Read(1, kScrubbed, 12'288, kBlockBytes)), ErrorCode::kOk);
}

TEST_F(ScrubTest, WhatAClientChangesMeanwhileStays) {
  Spoil(2, 8192);
  const std::string block = Pattern(kBlockBytes, 2);
  for (std::uint32_t i = 0; i < 30; ++i) {
    ASSERT_EQ(CodeOf(cluster_.Write(kScrubbed, i * 2 * kBlockBytes, block)), ErrorCode::kOk);
    cluster_.world().RunFor(seconds(1));
  }
  std::string expected = bytes_;
  for (std::uint32_t i = 0; i < 30; ++i) expected.replace(i * 2 * kBlockBytes, kBlockBytes, block);
  ReportAfterAPass();
  EXPECT_TRUE(cluster_.ReadAll(kScrubbed, 0, kScrubbedBytes) == expected);
}

}  // namespace
}  // namespace gabion
