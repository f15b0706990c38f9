// How the members of a placement group become equal at the beginning of an epoch, and after a change that failed.
#include "chunkserver/pg/settle.h"

#include "tests/unit/chunkserver/background.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kLength = 50'000;

enum class Kind { kWrite, kFirstWrite, kZero, kTrim, kCopy };

/// A change of chunk 7 (kFirstWrite: of chunk 8) as a call.
std::unique_ptr<BackgroundCall> Begin(TestCluster& cluster, Kind kind, Duration limit) {
  std::string bytes = Pattern(20'000, 99);
  switch (kind) {
    case Kind::kWrite:
    case Kind::kFirstWrite:
      return std::make_unique<BackgroundCall>(cluster, 1, proto::METHOD_WRITE_CHUNK,
                                              cluster.WriteRequest(kind == Kind::kWrite ? 7 : 8, 10'000, bytes), bytes,
                                              limit);
    case Kind::kZero: {
      proto::ZeroChunkRequest request;
      *request.mutable_target() = cluster.Target(7);
      request.set_offset_bytes(5000);
      request.set_length_bytes(10'000);
      return std::make_unique<BackgroundCall>(cluster, 1, proto::METHOD_ZERO_CHUNK, request, "", limit);
    }
    case Kind::kTrim: {
      proto::TrimChunkRequest request;
      *request.mutable_target() = cluster.Target(7);
      request.set_length_bytes(3000);
      request.set_generation(5);
      return std::make_unique<BackgroundCall>(cluster, 1, proto::METHOD_TRIM_CHUNK, request, "", limit);
    }
    case Kind::kCopy: {
      proto::CopyChunkRequest request;
      *request.mutable_target() = cluster.Target(7);
      request.set_source_chunk_id(6);
      request.set_offset_bytes(4096);
      request.set_length_bytes(30'000);
      return std::make_unique<BackgroundCall>(cluster, 1, proto::METHOD_COPY_CHUNK, request, "", limit);
    }
  }
  return nullptr;
}

struct Contents {
  std::string six = Pattern(kLength, 6);
  std::string seven = Pattern(kLength, 7);
  std::string eight;

  void Change(Kind kind) {
    if (kind == Kind::kWrite) seven.replace(10'000, 20'000, Pattern(20'000, 99));
    if (kind == Kind::kFirstWrite) eight = std::string(10'000, '\0') + Pattern(20'000, 99);
    if (kind == Kind::kZero) seven.replace(5000, 10'000, std::string(10'000, '\0'));
    if (kind == Kind::kTrim) seven.resize(3000);
    if (kind == Kind::kCopy) seven.replace(4096, 30'000, six.substr(0, 30'000));
  }

  void ExpectIn(TestCluster& cluster, std::uint64_t chunk, const std::string& bytes) const {
    std::string read = cluster.ReadAll(chunk, 0, 65'536);
    EXPECT_EQ(read.size(), RoundUp(bytes.size(), kBlockBytes)) << "chunk " << chunk;
    EXPECT_TRUE(read.substr(0, bytes.size()) == bytes) << "chunk " << chunk;
    EXPECT_EQ(read.find_first_not_of('\0', bytes.size()), std::string::npos) << "chunk " << chunk;
  }
  /// In all members in sync, lengths included.
  void ExpectIn(TestCluster& cluster) const {
    ExpectIn(cluster, 6, six);
    ExpectIn(cluster, 7, seven);
    ExpectIn(cluster, 8, eight);
    for (std::uint32_t server : cluster.metaserver().pg().in_sync()) {
      EXPECT_EQ(cluster.Stat(static_cast<int>(server), 7)->length_bytes(), seven.size());
      EXPECT_EQ(cluster.Stat(static_cast<int>(server), 8)->length_bytes(), eight.size());
    }
  }
};

void WriteContents(TestCluster& cluster) {
  Contents contents;
  ASSERT_EQ(CodeOf(cluster.Write(6, 0, contents.six)), ErrorCode::kOk);
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, contents.seven)), ErrorCode::kOk);
  ASSERT_TRUE(cluster.WaitUntilNothingIsUnsettled());
}

class SettleKindTest : public ::testing::TestWithParam<Kind> {};

// The primary dies when its change has reached one of the others. Which of the two is the next primary decides whether
// the change is made; either way it is the same everywhere, and nothing of the old epoch is done any more.
TEST_P(SettleKindTest, ChangeThatReachedOneMemberIsMadeEverywhereOrNowhere) {
  for (std::uint32_t next : {2u, 3u}) {
    TestCluster cluster({.seed = next});
    WriteContents(cluster);
    cluster.world().network().Cut("cs1", "cs3");
    proto::WriteChunkRequest late = cluster.WriteRequest(7, 0, "late");
    std::unique_ptr<BackgroundCall> change = Begin(cluster, GetParam(), seconds(20));
    cluster.world().RunFor(milliseconds(200));
    ASSERT_FALSE(change->done()) << "one member has not answered";
    ASSERT_FALSE(cluster.Unsettled(2).empty());
    ASSERT_TRUE(cluster.Unsettled(3).empty());
    cluster.Kill(1);
    cluster.world().network().MendAll();
    EXPECT_NE(change->Wait(), ErrorCode::kOk);
    cluster.Elect({next, 5 - next});

    Contents expected;
    if (next == 2) expected.Change(GetParam());
    expected.ExpectIn(cluster);
    late.mutable_target()->set_replica(true);
    BackgroundCall refused(cluster, 2, proto::METHOD_WRITE_CHUNK, late, "late", seconds(5), 1);
    EXPECT_EQ(refused.Wait(), ErrorCode::kStaleEpoch);

    // The one that died has the change, whatever became of it: it joins, and is made equal.
    cluster.StartServer(1);
    ASSERT_TRUE(cluster.Join(1, 1));
    cluster.Elect({1});
    expected.ExpectIn(cluster);
  }
}

// The same with a primary that lives on, and only thinks that it is one.
TEST_P(SettleKindTest, PrimaryThatIsCutOffTakesItsChangeBack) {
  TestCluster cluster;
  WriteContents(cluster);
  for (const char* other : {"meta", "cs2", "cs3"}) cluster.world().network().Cut("cs1", other);
  std::unique_ptr<BackgroundCall> change = Begin(cluster, GetParam(), seconds(20));
  cluster.world().RunFor(seconds(6));
  EXPECT_FALSE(cluster.Unsettled(1).empty()) << "it has made the change itself";
  Result<std::string> stale = cluster.Read(1, 7, 0, 4096);
  EXPECT_EQ(CodeOf(stale), ErrorCode::kUnavailable) << "its lease is over";
  cluster.Elect({2, 3});
  cluster.world().network().MendAll();
  EXPECT_NE(change->Wait(), ErrorCode::kOk);
  Contents before;
  before.ExpectIn(cluster);
  ASSERT_TRUE(cluster.WaitForLease(1));
  ASSERT_TRUE(cluster.Join(1, 1));
  cluster.Elect({1});
  before.ExpectIn(cluster);
}

// No epoch ends: the primary itself makes equal what a change that failed has left.
TEST_P(SettleKindTest, PrimarySettlesAfterAChangeThatFailed) {
  TestCluster cluster;
  WriteContents(cluster);
  cluster.world().network().Cut("cs1", "cs3");
  EXPECT_EQ(Begin(cluster, GetParam(), seconds(1))->Wait(), ErrorCode::kUnavailable);
  cluster.world().RunFor(seconds(20));
  EXPECT_EQ(CodeOf(cluster.Read(1, 6, 0, 4096)), ErrorCode::kUnavailable) << "not before all members are the same";
  EXPECT_EQ(CodeOf(cluster.Sync({6})), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(cluster.Write(9, 0, "x")), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(cluster.Read(3, 7, 0, 4096)), ErrorCode::kOk)
      << "it has missed the change, and nobody has seen that";
  cluster.world().network().MendAll();
  cluster.WaitUntilServed();
  Contents expected;
  expected.Change(GetParam());
  expected.ExpectIn(cluster);
  EXPECT_EQ(cluster.metaserver().pg().epoch(), 1u);
}
INSTANTIATE_TEST_SUITE_P(Kinds, SettleKindTest,
                         ::testing::Values(Kind::kWrite, Kind::kFirstWrite, Kind::kZero, Kind::kTrim, Kind::kCopy));

TEST(SettleTest, MemberGetsBackWhatItLostWithItsPower) {
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    TestCluster cluster({.seed = seed});
    ASSERT_EQ(CodeOf(cluster.Write(6, 0, Pattern(kLength, 1))), ErrorCode::kOk);
    ASSERT_TRUE(cluster.WaitUntilNothingIsUnsettled());
    // On different members different parts of it survive.
    ASSERT_EQ(CodeOf(cluster.Write(6, 8192, Pattern(30'000, 2))), ErrorCode::kOk);
    ASSERT_EQ(CodeOf(cluster.Write(7, 0, Pattern(kLength, 3))), ErrorCode::kOk);
    cluster.LosePower(3);
    if (!cluster.HasChunk(3, 7)) ++lost;
    cluster.StartServer(3);
    cluster.WaitUntilServed();
    cluster.Elect({3});
    std::string expected = Pattern(kLength, 1).replace(8192, 30'000, Pattern(30'000, 2));
    EXPECT_TRUE(cluster.ReadAll(6, 0, kLength) == expected) << "seed " << seed;
    EXPECT_TRUE(cluster.ReadAll(7, 0, kLength) == Pattern(kLength, 3)) << "seed " << seed;
  }
  EXPECT_GT(lost, 0) << "nothing was lost that could be given back";
}

// Also if the primary itself has lost it, and another one is primary in the next epoch.
TEST(SettleTest, PrimaryGetsBackWhatItLostWithItsPower) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    TestCluster cluster({.seed = seed});
    ASSERT_EQ(CodeOf(cluster.Write(7, 0, Pattern(kLength, 3))), ErrorCode::kOk);
    cluster.LosePower(1);
    cluster.metaserver().Elect({2, 1, 3});
    cluster.StartServer(1);
    cluster.WaitUntilServed();
    cluster.Elect({1});
    EXPECT_TRUE(cluster.ReadAll(7, 0, kLength) == Pattern(kLength, 3)) << "seed " << seed;
  }
}

TEST(SettleTest, DoesNotEndWhileAMemberIsOutOfReach) {
  TestCluster cluster;
  ASSERT_EQ(CodeOf(cluster.Write(7, 0, "data")), ErrorCode::kOk);
  cluster.world().network().Cut("cs2", "cs3");
  cluster.metaserver().Elect({2, 3, 1});
  cluster.world().RunFor(seconds(30));
  EXPECT_EQ(CodeOf(cluster.Read(2, 7, 0, 4096)), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(cluster.Read(1, 7, 0, 4096)), ErrorCode::kUnavailable)
      << "no member may answer before its primary may";
  cluster.Elect({2, 1});
  EXPECT_EQ(cluster.ReadAll(7, 0, 4), "data");
}

TEST(SettleTest, NobodyReadsAChangeThatIsTakenBack) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    TestCluster cluster({.seed = seed});
    ASSERT_EQ(CodeOf(cluster.Write(7, 0, "old")), ErrorCode::kOk);
    SteadyReader reader(cluster, 1, 7);
    cluster.world().RunFor(milliseconds(100));
    for (const char* member : {"cs2", "cs3"}) cluster.world().network().Cut("cs1", member);
    proto::WriteChunkRequest request = cluster.WriteRequest(7, 0, "new");
    BackgroundCall write(cluster, 1, proto::METHOD_WRITE_CHUNK, request, "new", seconds(1));
    cluster.world().RunFor(seconds(2));
    EXPECT_EQ(write.Wait(), ErrorCode::kUnavailable);
    EXPECT_EQ(CodeOf(cluster.Read(1, 7, 0, 4096)), ErrorCode::kUnavailable);
    cluster.metaserver().Elect({2, 3});
    cluster.world().RunFor(seconds(2));
    reader.Stop();
    EXPECT_GT(reader.answers(), 10);
    EXPECT_EQ(reader.seen(), std::set<std::string>{"old"}) << "seed " << seed;
    EXPECT_EQ(cluster.ReadAll(7, 0, 3), "old");
  }
}

// What was read once stays, whoever is primary next: a read waits for the change under way that it would show.
TEST(SettleTest, WhatWasReadIsNotTakenBackLater) {
  std::set<std::string> ends;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    TestCluster cluster({.seed = seed});
    ASSERT_EQ(CodeOf(cluster.Write(7, 0, "old")), ErrorCode::kOk);
    SteadyReader reader(cluster, 1, 7);
    proto::WriteChunkRequest request = cluster.WriteRequest(7, 0, "new");
    BackgroundCall write(cluster, 1, proto::METHOD_WRITE_CHUNK, request, "new", seconds(5));
    cluster.world().RunFor(std::chrono::microseconds(150 * seed));
    cluster.Kill(1);
    const bool seen = reader.seen().contains("new");
    write.Wait();
    cluster.Elect({3, 2});
    std::string now = cluster.ReadAll(7, 0, 3);
    EXPECT_TRUE(now == "new" || (now == "old" && !seen)) << "seed " << seed;
    ends.insert(now);
  }
  EXPECT_EQ(ends.size(), 2u) << "the moments were chosen badly";
}

}  // namespace
}  // namespace gabion
