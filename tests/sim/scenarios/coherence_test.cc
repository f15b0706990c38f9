// What one client does, the other sees at its next call.
#include "common/base/byte_units.h"
#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::seconds;

class CoherenceTest : public testing::Test {
 protected:
  std::string Read(PosixCalls& client, const std::string& path) {
    const Result<std::string> read = cluster_.Do(client.ReadFile(path));
    EXPECT_TRUE(IsOk(read));
    return read ? *read : std::string();
  }

  SimCluster cluster_{{.seed = 21, .clients = 2}};
  PosixCalls one_{cluster_, "client1"};
  PosixCalls two_{cluster_, "client2"};
};

TEST_F(CoherenceTest, WritesAreSeen) {
  for (int i = 0; i < 10; ++i) {
    const std::string bytes = Pattern(static_cast<std::size_t>(i) * 5000 + 1, static_cast<std::uint64_t>(i));
    PosixCalls& writer = i % 2 == 0 ? one_ : two_;
    PosixCalls& reader = i % 2 == 0 ? two_ : one_;
    ASSERT_TRUE(IsOk(cluster_.Do(writer.WriteFile("/file", bytes))));
    EXPECT_EQ(Read(reader, "/file"), bytes);
  }
}

TEST_F(CoherenceTest, OverwriteIsSeenThroughAnOpenFile) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.WriteFile("/file", std::string(200'000, 'a')))));
  const Result<Fd> fd = cluster_.Do(two_.Open("/file", O_RDONLY));
  ASSERT_TRUE(IsOk(fd));
  for (std::uint32_t offset = 0; offset < 200'000; offset += 20'000) {  // a stream, which is read ahead
    const Result<std::string> read = cluster_.Do(two_.Pread(*fd, offset, 20'000));
    ASSERT_TRUE(IsOk(read));
    EXPECT_EQ(*read, std::string(20'000, 'a'));
  }
  const Result<Fd> writing = cluster_.Do(one_.Open("/file", O_WRONLY));
  ASSERT_TRUE(IsOk(writing));
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(*writing, 0, std::string(200'000, 'b')))));
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Close(*writing))));
  const Result<std::string> read = cluster_.Do(two_.Pread(*fd, 0, 200'000));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, std::string(200'000, 'b'));
  ASSERT_TRUE(IsOk(cluster_.Do(two_.Close(*fd))));
}

TEST_F(CoherenceTest, TruncateAndGrowthAreSeenThroughAnOpenFile) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.WriteFile("/file", std::string(100'000, 'a')))));
  const Result<Fd> fd = cluster_.Do(two_.Open("/file", O_RDONLY));
  ASSERT_TRUE(IsOk(fd));
  ASSERT_TRUE(IsOk(cluster_.Do(two_.Pread(*fd, 0, 100'000))));
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Truncate("/file", 10))));
  const Result<std::string> cut = cluster_.Do(two_.Pread(*fd, 0, 100'000));
  ASSERT_TRUE(IsOk(cut));
  EXPECT_EQ(*cut, std::string(10, 'a'));
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Truncate("/file", 50))));
  const Result<std::string> grown = cluster_.Do(two_.Pread(*fd, 0, 100'000));
  ASSERT_TRUE(IsOk(grown));
  EXPECT_EQ(*grown, std::string(10, 'a') + std::string(40, '\0'));
  ASSERT_TRUE(IsOk(cluster_.Do(two_.Close(*fd))));
}

TEST_F(CoherenceTest, NamesAreSeen) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Mkdir("/d"))));
  ASSERT_TRUE(IsOk(cluster_.Do(two_.WriteFile("/d/x", "x"))));
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Rename("/d/x", "/d/y"))));
  EXPECT_EQ(NameOf(cluster_.Do(two_.Stat("/d/x"))), "NOT_FOUND");
  EXPECT_EQ(Read(two_, "/d/y"), "x");
  ASSERT_TRUE(IsOk(cluster_.Do(two_.Link("/d/y", "/z"))));
  const Result<FileAttr> linked = cluster_.Do(one_.Stat("/d/y"));
  ASSERT_TRUE(IsOk(linked));
  EXPECT_EQ(linked->nlink, 2u);
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Unlink("/d/y"))));
  EXPECT_EQ(NameOf(cluster_.Do(two_.Stat("/d/y"))), "NOT_FOUND");
  EXPECT_EQ(NameOf(cluster_.Do(two_.Open("/z", O_CREAT | O_EXCL | O_RDWR))), "EXISTS");
  ASSERT_TRUE(IsOk(cluster_.Do(two_.Rmdir("/d"))));
  EXPECT_EQ(NameOf(cluster_.Do(one_.List("/d"))), "NOT_FOUND");
  const Result<FileAttr> last = cluster_.Do(one_.Stat("/z"));
  ASSERT_TRUE(IsOk(last));
  EXPECT_EQ(last->nlink, 1u);
}

TEST_F(CoherenceTest, TwoHandlesOfOneClientAppend) {
  const Result<Fd> a = cluster_.Do(one_.Open("/log", O_CREAT | O_WRONLY | O_APPEND));
  const Result<Fd> b = cluster_.Do(one_.Open("/log", O_WRONLY | O_APPEND));
  ASSERT_TRUE(IsOk(a));
  ASSERT_TRUE(IsOk(b));
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    const std::string record = "line " + std::to_string(i) + "\n";
    ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(i % 2 == 0 ? *a : *b, 0, record))));
    expected += record;
  }
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Close(*a))));
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Close(*b))));
  EXPECT_EQ(Read(two_, "/log"), expected);
}

TEST_F(CoherenceTest, AppendersOnTwoClientsInTurn) {
  std::string expected;
  for (int i = 0; i < 10; ++i) {
    PosixCalls& client = i % 2 == 0 ? one_ : two_;
    const Result<Fd> fd = cluster_.Do(client.Open("/log", O_CREAT | O_WRONLY | O_APPEND));
    ASSERT_TRUE(IsOk(fd));
    const std::string record = Pattern(3000, static_cast<std::uint64_t>(i));
    ASSERT_TRUE(IsOk(cluster_.Do(client.Pwrite(*fd, 0, record))));
    ASSERT_TRUE(IsOk(cluster_.Do(client.Close(*fd))));
    expected += record;
  }
  EXPECT_EQ(Read(one_, "/log"), expected);
  EXPECT_EQ(Read(two_, "/log"), expected);
}

TEST_F(CoherenceTest, WritersOfDifferentPartsDoNotDisturbEachOther) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.WriteFile("/file", std::string(64 * kKiB, '.')))));
  const Result<Fd> a = cluster_.Do(one_.Open("/file", O_RDWR));
  const Result<Fd> b = cluster_.Do(two_.Open("/file", O_RDWR));
  ASSERT_TRUE(IsOk(a));
  ASSERT_TRUE(IsOk(b));
  std::string expected(64 * kKiB, '.');
  for (std::size_t i = 0; i < 32; ++i) {  // interleaved within the same blocks
    const bool even = i % 2 == 0;
    const std::string bytes(1000, static_cast<char>(even ? 'a' : 'b'));
    ASSERT_TRUE(IsOk(cluster_.Do(even ? one_.Pwrite(*a, i * 1000, bytes) : two_.Pwrite(*b, i * 1000, bytes))));
    expected.replace(i * 1000, 1000, bytes);
  }
  auto closing_a = cluster_.Begin(one_.Close(*a));
  auto closing_b = cluster_.Begin(two_.Close(*b));
  ASSERT_TRUE(IsOk(cluster_.Await(closing_a)));
  ASSERT_TRUE(IsOk(cluster_.Await(closing_b)));
  EXPECT_EQ(Read(one_, "/file"), expected);
  EXPECT_EQ(Read(two_, "/file"), expected);
}

TEST_F(CoherenceTest, BytesOnTheirWayArriveBeforeOthersChangeTheFile) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.WriteFile("/file", std::string(1000, 'a')))));
  const Result<Fd> fd = cluster_.Do(one_.Open("/file", O_RDWR));
  ASSERT_TRUE(IsOk(fd));
  for (const std::string& name : cluster_.chunkservers()) cluster_.network().Cut("client1", name);
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(*fd, 100, "late"))));
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Close(*fd))));
  auto cut = cluster_.Begin(two_.Truncate("/file", 500));
  cluster_.world().RunFor(seconds(15));
  EXPECT_FALSE(cut->has_value());  // it waits for the lease, whose holder has something to bring
  cluster_.network().MendAll();
  ASSERT_TRUE(IsOk(cluster_.Await(cut)));
  std::string expected(500, 'a');
  expected.replace(100, 4, "late");
  EXPECT_EQ(Read(two_, "/file"), expected);
  EXPECT_EQ(Read(one_, "/file"), expected);
}

TEST_F(CoherenceTest, OneOfTwoExclusiveCreatorsWins) {
  for (int i = 0; i < 20; ++i) {
    const std::string path = "/lock" + std::to_string(i);
    auto a = cluster_.Begin(one_.Open(path, O_CREAT | O_EXCL | O_RDWR));
    auto b = cluster_.Begin(two_.Open(path, O_CREAT | O_EXCL | O_RDWR));
    const Result<Fd> first = cluster_.Await(a);
    const Result<Fd> second = cluster_.Await(b);
    EXPECT_NE(first.has_value(), second.has_value()) << path;
    EXPECT_EQ(NameOf(first ? second : first), "EXISTS");
  }
}

TEST_F(CoherenceTest, SymlinkLeadsBothToTheSamePlace) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Symlink("some/where", "/link"))));
  const Result<std::string> target = cluster_.Do(two_.ReadLink("/link"));
  ASSERT_TRUE(IsOk(target));
  EXPECT_EQ(*target, "some/where");
}

TEST_F(CoherenceTest, WhatWasCutOffDoesNotShowBehindALaterWrite) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.WriteFile("/file", std::string(300'000, 'o')))));
  const Result<Fd> fd = cluster_.Do(one_.Open("/file", O_RDWR));
  ASSERT_TRUE(IsOk(fd));
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Ftruncate(*fd, 1'000))));
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Pwrite(*fd, 280'000, "end"))));
  const Result<std::string> read = cluster_.Do(one_.Pread(*fd, 0, 300'000));
  ASSERT_TRUE(IsOk(read));
  EXPECT_EQ(*read, std::string(1'000, 'o') + std::string(279'000, '\0') + "end");
}

}  // namespace
}  // namespace gabion
