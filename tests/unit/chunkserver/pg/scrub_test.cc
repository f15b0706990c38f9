// What went bad on a disk is found although nobody reads it, and put right from another copy.
#include "chunkserver/pg/scrub.h"

#include "tests/unit/chunkserver/test_cluster.h"

namespace gabion {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t kScrubbed = 7;
constexpr std::uint32_t kScrubbedBytes = 300'000;

class ScrubFixture : public testing::Test {
 protected:
  explicit ScrubFixture(Duration interval) : cluster_({.scrub_interval = interval}) {
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

  /// Other bytes, so that the old ones, where they lie still, are not taken for them.
  void Overwrite() {
    bytes_ = Pattern(kScrubbedBytes, 2);
    ASSERT_EQ(CodeOf(cluster_.Write(kScrubbed, 0, bytes_)), ErrorCode::kOk);
  }

  proto::ScrubReport Report() { return cluster_.NextHeartbeat(1).scrub(); }

  TestCluster cluster_;
  std::string bytes_ = Pattern(kScrubbedBytes, 1);
};

/// Passes begin by themselves.
class ScrubTest : public ScrubFixture {
 protected:
  ScrubTest() : ScrubFixture(seconds(5)) {}

  proto::ScrubReport ReportAfterAPass() {
    const std::uint64_t before = Report().passes();
    for (int i = 0; i < 60 && Report().passes() < before + 2; ++i) cluster_.world().RunFor(seconds(1));
    return Report();
  }
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

/// A pass begins when somebody wants it.
class WantedScrubTest : public ScrubFixture {
 protected:
  explicit WantedScrubTest(Duration interval = Duration(0)) : ScrubFixture(interval) {}

  void Want(std::uint64_t round) { cluster_.metaserver().scrub_rounds[1] = round; }
  bool IsFinished(std::uint64_t round, Duration limit) {
    for (Duration waited{0}; waited < limit; waited += seconds(1)) {
      if (Report().finished_round() == round) return true;
      cluster_.world().RunFor(seconds(1));
    }
    return false;
  }
};

TEST_F(WantedScrubTest, RepairsAtOnceAndOnce) {
  Spoil(2, 8192);
  EXPECT_EQ(Report().finished_round(), 0u);
  Want(3);
  ASSERT_TRUE(IsFinished(3, seconds(5)));
  cluster_.world().RunFor(seconds(60));
  const proto::ScrubReport report = Report();
  EXPECT_EQ(report.passes(), 1u);
  EXPECT_FALSE(report.running());
  EXPECT_EQ(report.pass_bytes(), kScrubbedBytes);
  EXPECT_EQ(report.pass_bytes_done(), kScrubbedBytes);
  EXPECT_EQ(report.repaired_bytes(), kBlockBytes);
  EXPECT_TRUE(cluster_.ReadAll(kScrubbed, 0, kScrubbedBytes) == bytes_);
  Want(4);
  ASSERT_TRUE(IsFinished(4, seconds(5)));
  EXPECT_EQ(Report().passes(), 2u);
}

TEST_F(WantedScrubTest, ARestartedServerBeginsAnew) {
  Want(1);
  ASSERT_TRUE(IsFinished(1, seconds(5)));
  cluster_.Kill(1);
  Spoil(2, 8192);
  cluster_.StartServer(1);
  ASSERT_TRUE(IsFinished(1, seconds(60)));
  EXPECT_EQ(Report().repaired_bytes(), kBlockBytes);
}

TEST_F(WantedScrubTest, AGroupThatIsNotServedIsTriedAgain) {
  cluster_.Kill(3);
  Spoil(2, 8192);
  Want(1);
  EXPECT_FALSE(IsFinished(1, seconds(4)));
  EXPECT_TRUE(Report().running());
  cluster_.StartServer(3);
  ASSERT_TRUE(IsFinished(1, seconds(60)));
  EXPECT_EQ(Report().repaired_bytes(), kBlockBytes);
}

TEST_F(WantedScrubTest, AChunkThatWasChangedAMomentAgoIsTriedAgain) {
  Overwrite();
  Spoil(2, 8192);
  Want(1);
  EXPECT_FALSE(IsFinished(1, seconds(2)));
  ASSERT_TRUE(IsFinished(1, seconds(30)));
  EXPECT_EQ(Report().repaired_bytes(), kBlockBytes);
}

TEST_F(WantedScrubTest, WhatIsGoodAgainIsNoFaultAnyMore) {
  for (int server = 1; server <= 3; ++server) Spoil(server, 8192);
  Want(1);
  ASSERT_TRUE(IsFinished(1, seconds(5)));
  EXPECT_EQ(Report().failed_chunks(), 1u);
  Overwrite();
  Want(2);
  ASSERT_TRUE(IsFinished(2, seconds(60)));
  EXPECT_EQ(Report().failed_chunks(), 0u);
}

/// A pass of a minute.
class InterruptedScrubTest : public WantedScrubTest {
 protected:
  InterruptedScrubTest() : WantedScrubTest(seconds(60)) {}
};

TEST_F(InterruptedScrubTest, AWantedPassTakesThePlaceOfOneUnderWay) {
  for (int i = 0; i < 90 && Report().pass_bytes_done() == 0; ++i) cluster_.world().RunFor(seconds(1));
  EXPECT_TRUE(Report().running());
  Spoil(2, 8192);  // where the pass has been already
  Want(1);
  ASSERT_TRUE(IsFinished(1, seconds(5)));
  EXPECT_EQ(Report().repaired_bytes(), kBlockBytes);
  EXPECT_EQ(Report().passes(), 1u);
}

/// A reader finds a bad copy.
class SuspectTest : public WantedScrubTest {
 protected:
  ErrorCode Tell(int server) {
    proto::ScrubChunkRequest request;
    *request.mutable_target() = cluster_.Target(kScrubbed);
    return CodeOf(cluster_.Call<proto::ScrubChunkReply>(server, proto::METHOD_SCRUB_CHUNK, request));
  }
};

TEST_F(SuspectTest, IsRepairedWithoutAPass) {
  Spoil(2, 8192);
  EXPECT_EQ(Tell(1), ErrorCode::kOk);
  cluster_.world().RunFor(seconds(1));
  EXPECT_EQ(Report().repaired_bytes(), kBlockBytes);
  EXPECT_EQ(Report().passes(), 0u);
  EXPECT_TRUE(cluster_.ReadAll(kScrubbed, 0, kScrubbedBytes) == bytes_);
}

TEST_F(SuspectTest, IsForThePrimary) {
  EXPECT_EQ(Tell(2), ErrorCode::kInvalidArgument);
}

TEST_F(SuspectTest, IsTriedAgainWhenItHasSettled) {
  Overwrite();
  Spoil(2, 8192);
  EXPECT_EQ(Tell(1), ErrorCode::kOk);
  cluster_.world().RunFor(seconds(1));
  EXPECT_EQ(Report().repaired_bytes(), 0u);
  cluster_.world().RunFor(seconds(20));
  EXPECT_EQ(Report().repaired_bytes(), kBlockBytes);
}

TEST_F(SuspectTest, ThatIsBadEverywhereIsSaidOnce) {
  for (int server = 1; server <= 3; ++server) Spoil(server, 8192);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Tell(1), ErrorCode::kOk);
    cluster_.world().RunFor(seconds(10));
  }
  EXPECT_EQ(Report().failed_chunks(), 1u);
}

}  // namespace
}  // namespace gabion
