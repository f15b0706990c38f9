// Disks fill up: one of them is no reason to refuse anything, all of them are.
#include "common/base/byte_units.h"
#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::seconds;

class SpaceTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  static constexpr int kFiles = 12;
  static constexpr std::size_t kFileBytes = 200'000;

  SpaceTest() {
    for (int i = 0; i < kFiles; ++i) EXPECT_TRUE(IsOk(Store(i, 0)));
  }

  static std::string PathOf(int file) { return "/file" + std::to_string(file); }

  Result<void> Store(int file, std::uint64_t version) {
    return cluster_.Do(client_.WriteFileDurably(PathOf(file), Pattern(kFileBytes, 100 * version + file)));
  }

  /// In the chunks that the file has.
  Task<Result<void>> Overwrite(int file, std::uint64_t version) {
    Result<Fd> fd = co_await client_.Open(PathOf(file), O_RDWR);
    if (!fd) co_return fd.error();
    Result<void> done = co_await client_.Pwrite(*fd, 0, Pattern(kFileBytes, 100 * version + file));
    if (done) done = co_await client_.Fsync(*fd);
    Result<void> closed = co_await client_.Close(*fd);
    co_return done ? closed : done;
  }

  /// Something else takes what is left.
  void Fill(const std::string& server) { cluster_.platter(server).FillUp(); }

  using BegunWrite = std::shared_ptr<std::optional<Result<void>>>;
  /// Changes reach some copies before their disks are full, and others after.
  std::vector<BegunWrite> OverwriteAllWhileDisksFillUp() {
    std::vector<BegunWrite> begun;
    for (int i = 0; i < kFiles; ++i) begun.push_back(cluster_.Begin(Overwrite(i, 1)));
    for (const std::string& server : cluster_.chunkservers()) {
      const std::uint64_t within = cluster_.world().random().Below(1'000);
      cluster_.world().RunFor(std::chrono::microseconds(within));
      Fill(server);
    }
    return begun;
  }

  void ExpectVersion(int file, std::uint64_t version) {
    const Result<std::string> read = cluster_.Do(client_.ReadFile(PathOf(file)));
    ASSERT_TRUE(IsOk(read));
    EXPECT_TRUE(*read == Pattern(kFileBytes, 100 * version + file)) << PathOf(file);
  }

  SimCluster cluster_{{.seed = GetParam(), .chunkservers = 4}};
  PosixCalls client_{cluster_, "client1"};
};

TEST_P(SpaceTest, AFullServerIsNoReasonToRefuseAnything) {
  Fill("chunk2");
  for (int i = 0; i < kFiles; ++i) EXPECT_TRUE(IsOk(cluster_.Do(Overwrite(i, 1))));
  for (int i = kFiles; i < 2 * kFiles; ++i) EXPECT_TRUE(IsOk(Store(i, 1))) << PathOf(i);
  for (int i = 0; i < 2 * kFiles; ++i) ExpectVersion(i, 1);
}

TEST_P(SpaceTest, FullServersAllOverAreSaidAndNothingIsLost) {
  const std::uint64_t capacity = cluster_.platter("chunk1").options().capacity_bytes;
  for (const std::string& server : cluster_.chunkservers()) Fill(server);
  int refused = 0;
  for (int i = kFiles; i < 2 * kFiles; ++i) {
    const Result<void> stored = Store(i, 1);
    EXPECT_TRUE(stored || stored.error().code() == ErrorCode::kNoSpace) << NameOf(stored);
    refused += stored ? 0 : 1;
  }
  EXPECT_GT(refused, 0);
  for (int i = 0; i < kFiles; ++i) ExpectVersion(i, 0);
  for (const std::string& server : cluster_.chunkservers()) {
    cluster_.platter(server).options().capacity_bytes = capacity;
  }
  cluster_.world().RunFor(seconds(60));
  for (int i = 0; i < 2 * kFiles; ++i) EXPECT_TRUE(IsOk(Store(i, 2))) << PathOf(i);
  for (int i = 0; i < 2 * kFiles; ++i) ExpectVersion(i, 2);
}

TEST_P(SpaceTest, DisksThatFillUpWhileChangesAreUnderWayKeepNobodyWaiting) {
  const std::vector<BegunWrite> begun = OverwriteAllWhileDisksFillUp();
  for (int i = 0; i < kFiles; ++i) {
    const Result<void> done = cluster_.Await(begun[i], seconds(60));
    if (done) {
      ExpectVersion(i, 1);
      continue;
    }
    EXPECT_EQ(NameOf(done), "NO_SPACE");
    const Result<std::string> read = cluster_.Do(client_.ReadFile(PathOf(i)));
    EXPECT_TRUE(IsOk(read) && read->size() == kFileBytes);
  }
}

TEST_P(SpaceTest, WhereNothingIsSetAsideWritersAreToldThatDisksAreFull) {
  for (const std::string& server : cluster_.chunkservers()) cluster_.platter(server).DropSetAside();
  const std::uint64_t capacity = cluster_.platter("chunk1").options().capacity_bytes;
  const std::vector<BegunWrite> begun = OverwriteAllWhileDisksFillUp();
  for (const BegunWrite& write : begun) {
    const Result<void> done = cluster_.Await(write, seconds(60));
    EXPECT_TRUE(done || done.error().code() == ErrorCode::kNoSpace) << NameOf(done);
  }
  for (const std::string& server : cluster_.chunkservers()) {
    cluster_.platter(server).options().capacity_bytes = capacity;
  }
  cluster_.world().RunFor(seconds(60));
  for (int i = 0; i < kFiles; ++i) EXPECT_TRUE(IsOk(cluster_.Do(Overwrite(i, 2)))) << PathOf(i);
  for (int i = 0; i < kFiles; ++i) ExpectVersion(i, 2);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SpaceTest, testing::Range<std::uint64_t>(1, 4));

}  // namespace
}  // namespace gabion
