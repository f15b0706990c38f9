// What survives when the power goes, and when processes die.
#include <algorithm>

#include "common/base/byte_units.h"
#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class DurabilityTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  SimCluster cluster_{{.seed = GetParam(), .clients = 2}};
  PosixCalls client_{cluster_, "client1"};
  PosixCalls other_{cluster_, "client2"};

  void LosePowerAndStart() {
    cluster_.LosePowerEverywhere();
    cluster_.world().RunFor(seconds(1));
    cluster_.StartEverything();
  }
};

TEST_P(DurabilityTest, SyncedFileSurvivesPowerLossOfEverything) {
  const std::string bytes = Pattern(300'000, 1);
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Mkdir("/a"))));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Mkdir("/a/b"))));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFileDurably("/a/b/file", bytes))));
  LosePowerAndStart();
  const Result<std::string> read = cluster_.Do(client_.ReadFile("/a/b/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, bytes);
}

TEST_P(DurabilityTest, SyncCoversWhatWasWrittenBeforeTheFileWasOpened) {
  const std::string bytes = Pattern(300'000, 1);
  ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFile("/file", bytes))));
  const Result<Fd> fd = cluster_.Do(client_.Open("/file", O_RDONLY));
  ASSERT_TRUE(IsOk(fd));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Fsync(*fd))));
  LosePowerAndStart();
  const Result<std::string> read = cluster_.Do(client_.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, bytes);
}

TEST_P(DurabilityTest, SyncCoversWhatAnotherClientWrote) {
  ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFileDurably("/file", std::string(300'000, 'o')))));
  const Result<Fd> fd = cluster_.Do(client_.Open("/file", O_RDWR));
  ASSERT_TRUE(IsOk(fd));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Fsync(*fd))));
  const std::string bytes = Pattern(400'000, 2);
  ASSERT_TRUE(IsOk(cluster_.Do(other_.WriteFile("/file", bytes))));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Fsync(*fd))));
  LosePowerAndStart();
  const Result<std::string> read = cluster_.Do(client_.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, bytes);
}

TEST_P(DurabilityTest, SmallSyncedWritesSurvive) {
  const Result<Fd> fd = cluster_.Do(client_.Open("/log", O_CREAT | O_RDWR));
  ASSERT_TRUE(IsOk(fd));
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    const std::string record = "record " + std::to_string(i) + "\n";
    ASSERT_TRUE(IsOk(cluster_.Do(client_.Pwrite(*fd, expected.size(), record))));
    ASSERT_TRUE(IsOk(cluster_.Do(client_.Fsync(*fd))));
    expected += record;
  }
  LosePowerAndStart();
  const Result<std::string> read = cluster_.Do(client_.ReadFile("/log"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, expected);
}

TEST_P(DurabilityTest, TornOverwriteLeavesEachBlockOldOrNew) {
  const std::string old_bytes(256 * kKiB, 'o');
  const std::string new_bytes(256 * kKiB, 'n');
  ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFileDurably("/file", old_bytes))));
  const Result<Fd> fd = cluster_.Do(client_.Open("/file", O_WRONLY));
  ASSERT_TRUE(IsOk(fd));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Pwrite(*fd, 0, new_bytes))));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Close(*fd))));
  LosePowerAndStart();
  const Result<std::string> read = cluster_.Do(client_.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  ASSERT_EQ(read->size(), old_bytes.size());
  for (std::size_t begin = 0; begin < read->size(); begin += 4 * kKiB) {
    const std::string block = read->substr(begin, 4 * kKiB);
    EXPECT_TRUE(block == std::string(4 * kKiB, 'o') || block == std::string(4 * kKiB, 'n')) << "block at " << begin;
  }
}

TEST_P(DurabilityTest, UnsyncedFileIsReadableOrAbsent) {
  for (int i = 0; i < 10; ++i) {
    const std::string path = "/file" + std::to_string(i);
    ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFile(path, Pattern(10'000, static_cast<std::uint64_t>(i))))));
  }
  LosePowerAndStart();
  const Result<std::vector<DirectoryItem>> items = cluster_.Do(client_.List("/"));
  ASSERT_TRUE(IsOk(items));
  for (const DirectoryItem& item : *items) EXPECT_TRUE(IsOk(cluster_.Do(client_.ReadFile("/" + item.name))));
}

TEST_P(DurabilityTest, SyncedRenameSurvives) {
  ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFileDurably("/config", "old"))));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFileDurably("/config.new", "new"))));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Rename("/config.new", "/config"))));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.FsyncDir("/"))));
  LosePowerAndStart();
  const Result<std::string> read = cluster_.Do(client_.ReadFile("/config"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, "new");
  EXPECT_EQ(NameOf(cluster_.Do(client_.Stat("/config.new"))), "NOT_FOUND");
}

TEST_P(DurabilityTest, UnsyncedCutIsDoneOrUndoneAsAWhole) {
  ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFileDurably("/file", std::string(300'000, 'o')))));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Truncate("/file", 100'001))));
  cluster_.world().RunFor(milliseconds(500));  // the chunks are cut in the background
  LosePowerAndStart();
  const Result<std::string> read = cluster_.Do(client_.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_TRUE(read->size() == 100'001 || read->size() == 300'000) << read->size();
  EXPECT_EQ(*read, std::string(read->size(), 'o'));
}

TEST_P(DurabilityTest, KilledServersLoseNothingThatWasClosed) {
  const std::string bytes = Pattern(500'000, 2);
  ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFile("/file", bytes))));
  cluster_.Kill("meta");
  for (const std::string& name : cluster_.chunkservers()) cluster_.Kill(name);
  cluster_.StartEverything();
  for (PosixCalls* client : {&client_, &other_}) {
    const Result<std::string> read = cluster_.Do(client->ReadFile("/file"));
    ASSERT_TRUE(IsOk(read));
    EXPECT_EQ(*read, bytes);
  }
}

TEST_P(DurabilityTest, AKilledClientLosesNothingThatHasHadItsTime) {
  const std::string bytes = Pattern(500'000, 2);
  ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFile("/file", bytes))));
  cluster_.world().RunFor(seconds(3));
  cluster_.Kill("client1");
  cluster_.Start("client1");
  const Result<std::string> read = cluster_.Do(client_.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, bytes);
}

TEST_P(DurabilityTest, SyncSpansARestartOfEveryServer) {
  const std::string bytes = Pattern(2 * kMiB, 3);
  const Result<Fd> fd = cluster_.Do(client_.Open("/file", O_CREAT | O_WRONLY));
  ASSERT_TRUE(IsOk(fd));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Pwrite(*fd, 0, bytes))));
  auto synced = cluster_.Begin(client_.Fsync(*fd));
  const std::uint64_t within = cluster_.world().random().Below(5'000);
  cluster_.world().RunFor(std::chrono::microseconds(within));
  cluster_.Kill("meta");
  for (const std::string& name : cluster_.chunkservers()) cluster_.Kill(name);
  cluster_.world().RunFor(seconds(3));
  cluster_.StartEverything();
  ASSERT_TRUE(IsOk(cluster_.Await(synced)));
  LosePowerAndStart();
  const Result<std::string> read = cluster_.Do(client_.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, bytes);
}

TEST_P(DurabilityTest, SyncTellsOfWhatAllCopiesLost) {
  ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFileDurably("/file", std::string(300'000, 'o')))));
  const Result<Fd> kept = cluster_.Do(client_.Open("/file", O_RDWR));
  ASSERT_TRUE(IsOk(kept));
  const Result<Fd> fd = cluster_.Do(client_.Open("/file", O_WRONLY));
  ASSERT_TRUE(IsOk(fd));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Pwrite(*fd, 0, std::string(300'000, 'n')))));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Close(*fd))));
  cluster_.world().RunFor(seconds(3));  // it is on the servers
  for (const std::string& name : cluster_.chunkservers()) cluster_.LosePower(name);
  cluster_.world().RunFor(seconds(1));
  cluster_.StartEverything();
  EXPECT_EQ(NameOf(cluster_.Do(client_.Fsync(*kept))), "IO") << "what was written may be gone";
  EXPECT_TRUE(IsOk(cluster_.Do(client_.Fsync(*kept)))) << "it is said once";
}

TEST_P(DurabilityTest, SyncTellsOfWhatWasLostIfTheServersRestartBeforeTheySaidSo) {
  const Result<Fd> fd = cluster_.Do(client_.Open("/file", O_CREAT | O_RDWR));
  ASSERT_TRUE(IsOk(fd));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Pwrite(*fd, 0, std::string(300'000, 'n')))));
  cluster_.world().RunFor(seconds(3));  // it is on the servers
  cluster_.Kill("meta");
  for (const std::string& name : cluster_.chunkservers()) {
    cluster_.LosePower(name);
    auto started = cluster_.BeginVoid(cluster_.StartTask(name));
    cluster_.world().RunFor(seconds(5));
    cluster_.Kill(name);
  }
  cluster_.StartEverything();
  EXPECT_EQ(NameOf(cluster_.Do(client_.Fsync(*fd))), "IO");
}

TEST_P(DurabilityTest, SyncCoversWhatOneCopyKept) {
  const Result<Fd> kept = cluster_.Do(client_.Open("/file", O_CREAT | O_RDWR));
  ASSERT_TRUE(IsOk(kept));
  const Result<Fd> fd = cluster_.Do(client_.Open("/file", O_WRONLY));
  ASSERT_TRUE(IsOk(fd));
  const std::string bytes = Pattern(300'000, 5);
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Pwrite(*fd, 0, bytes))));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Close(*fd))));
  const std::vector<std::string> names = cluster_.chunkservers();
  for (std::size_t i = 1; i < names.size(); ++i) cluster_.LosePower(names[i]);
  cluster_.world().RunFor(seconds(1));
  cluster_.StartEverything();
  EXPECT_TRUE(IsOk(cluster_.Do(client_.Fsync(*kept))));
  LosePowerAndStart();
  const Result<std::string> read = cluster_.Do(client_.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, bytes);
}

TEST_P(DurabilityTest, EndOfACutFileStaysCut) {
  const std::string bytes = Pattern(100'000, 4);
  ASSERT_TRUE(IsOk(cluster_.Do(client_.WriteFileDurably("/file", bytes))));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Truncate("/file", 5'000))));
  const Result<Fd> fd = cluster_.Do(client_.Open("/file", O_RDWR));
  ASSERT_TRUE(IsOk(fd));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Pwrite(*fd, 50'000, "end"))));
  ASSERT_TRUE(IsOk(cluster_.Do(client_.Fsync(*fd))));
  LosePowerAndStart();
  const Result<std::string> read = cluster_.Do(client_.ReadFile("/file"));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, bytes.substr(0, 5'000) + std::string(45'000, '\0') + "end");
}

INSTANTIATE_TEST_SUITE_P(Seeds, DurabilityTest, testing::Range<std::uint64_t>(1, 6), testing::PrintToStringParamName());

}  // namespace
}  // namespace gabion
