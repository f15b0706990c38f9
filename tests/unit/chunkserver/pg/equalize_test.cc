// Copies that differ in every way in which they can, and become equal.
#include "chunkserver/pg/equalize.h"

#include "tests/unit/chunkserver/test_cluster.h"

namespace gabion {
namespace {

using std::chrono::seconds;

constexpr std::uint32_t kRange = 4 * kMiB;

/// What a chunk is to be, as changes of one that has not been.
struct Copy {
  std::string name;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> written;  // offset and length, in bytes
  std::optional<std::uint32_t> trimmed;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> zeroed;
};

const std::vector<Copy>& Copies() {
  static const std::vector<Copy> copies = {
      {"nothing", {}, {}, {}},
      {"a few bytes", {{0, 100}}, {}, {}},
      {"some blocks", {{0, 50'000}}, {}, {}},
      {"a hole, then blocks", {{200'000, 30'001}}, {}, {}},
      {"two ranges", {{kRange - 10'000, 20'000}}, {}, {}},
      {"a hole of more than a range", {{0, 5000}, {3 * kRange, 5000}}, {}, {}},
      {"cut within a block", {{0, 60'000}}, 20'001, {}},
      {"zeros within", {{0, 60'000}}, {}, {{8192, 20'480}}},
      {"the last byte of all", {{kChunkBytes - 1, 1}}, {}, {}},
  };
  return copies;
}

/// Makes chunk 7 what `copy` says, by changes of the primary; with bytes of its own.
void Make(TestCluster& cluster, const Copy& copy, std::uint64_t seed) {
  for (auto [offset, length] : copy.written) {
    ASSERT_EQ(CodeOf(cluster.Write(7, offset, Pattern(length, seed))), ErrorCode::kOk);
  }
  if (copy.trimmed) {
    ASSERT_EQ(CodeOf(cluster.Trim(7, *copy.trimmed, seed)), ErrorCode::kOk);
  }
  for (auto [offset, length] : copy.zeroed) ASSERT_EQ(CodeOf(cluster.Zero(7, offset, length)), ErrorCode::kOk);
}

/// All of chunk 7 that is not a hole, and where it is.
std::string Everything(TestCluster& cluster, int server) {
  Result<proto::StatChunkReply> stat = cluster.Stat(server, 7);
  if (!stat) return "no stat";
  std::string all = std::to_string(stat->length_bytes());
  for (std::uint32_t range = 0; range < stat->length_bytes(); range += kRange) {
    Result<std::string> read = cluster.Read(server, 7, range, kRange);
    if (!read) return "no read: " + read.error().ToString();
    all += "/" + *read;
  }
  return all;
}

/// Every pair: what the primary has, and what the member has.
class EqualizeTest : public ::testing::TestWithParam<std::tuple<std::size_t, std::size_t>> {};

TEST_P(EqualizeTest, MemberBecomesWhatThePrimaryIs) {
  TestCluster cluster({.seed = 3, .disks = 2});
  cluster.metaserver().pg().set_min_replicas(1);
  cluster.Elect({3});
  Make(cluster, Copies()[std::get<1>(GetParam())], 2);
  cluster.Elect({1});
  Make(cluster, Copies()[std::get<0>(GetParam())], 1);
  std::string expected = Everything(cluster, 1);
  cluster.Elect({1, 3});  // both have it unsettled
  EXPECT_TRUE(Everything(cluster, 1) == expected);
  cluster.Elect({3});
  EXPECT_TRUE(Everything(cluster, 3) == expected);
  // The trim generation as well: it decides which trims are late.
  std::uint64_t generation = Copies()[std::get<0>(GetParam())].trimmed ? 1 : 0;
  ASSERT_EQ(CodeOf(cluster.Trim(7, 0, generation)), ErrorCode::kOk);
  EXPECT_TRUE(Everything(cluster, 3) == expected) << "a trim of before";
  ASSERT_EQ(CodeOf(cluster.Trim(7, 0, generation + 1)), ErrorCode::kOk);
  EXPECT_EQ(cluster.Stat(3, 7)->length_bytes(), 0u) << "a new one";
}
INSTANTIATE_TEST_SUITE_P(Pairs, EqualizeTest,
                         ::testing::Combine(::testing::Range<std::size_t>(0, 8), ::testing::Range<std::size_t>(0, 9)));
// Whole chunks take long: not with every other.
INSTANTIATE_TEST_SUITE_P(WholeChunk, EqualizeTest,
                         ::testing::Combine(::testing::Values<std::size_t>(8), ::testing::Values<std::size_t>(2, 8)));

// It may be good on the member.
TEST(EqualizeTest, BadBlockOfThePrimaryIsNotSentAndNotTheMembersFault) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, Pattern(100'000, 1))), ErrorCode::kOk);
  ASSERT_TRUE(cluster.WaitUntilNothingIsUnsettled());
  cluster.Elect({1, 2});
  std::string bytes = Pattern(100'000, 2);
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, bytes)), ErrorCode::kOk);
  ASSERT_TRUE(cluster.WaitUntilNothingIsUnsettled());
  ASSERT_EQ(CodeOf(cluster.Write(7, 99'999, "x")), ErrorCode::kOk);
  std::string slab = cluster.platter(1).FileNames().at(0);
  std::size_t at = cluster.platter(1).Contents(slab, 0, 1 * kMiB).find(bytes.substr(8192, 4096));
  ASSERT_NE(at, std::string::npos);
  cluster.platter(1).FlipBit(slab, at + 100, 3);
  cluster.metaserver().Elect({1, 2, 3});
  cluster.world().RunFor(seconds(10));
  proto::HeartbeatRequest report = cluster.NextHeartbeat(1);
  ASSERT_EQ(report.failing_size(), 1);
  EXPECT_EQ(report.failing(0).server_id(), 1u);
  EXPECT_EQ(CodeOf(cluster.Read(1, 7, 0, 4096)), ErrorCode::kUnavailable);
  cluster.Elect({2, 3});
  bytes.back() = 'x';
  EXPECT_TRUE(cluster.ReadAll(7, 0, 100'000) == bytes);
}

}  // namespace
}  // namespace gabion
