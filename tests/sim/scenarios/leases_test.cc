// Leases: what a client knows it does not ask for again, and what another changes it does not believe any more.
#include <fcntl.h>

#include "fs-client/lease/lease_cache.h"
#include "fs-client/vfs/open_directory.h"
#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LeasesTest : public testing::Test {
 protected:
  LeasesTest() {
    EXPECT_TRUE(IsOk(cluster_.Do(one_.Mkdir("/d"))));
    EXPECT_TRUE(IsOk(cluster_.Do(one_.WriteFile("/d/file", "first"))));
  }

  /// So that it is known to the client, if the client may know it.
  void Look(PosixCalls& client) {
    EXPECT_TRUE(IsOk(cluster_.Do(client.Stat("/d/file"))));
    EXPECT_EQ(NameOf(cluster_.Do(client.Stat("/d/absent"))), "NOT_FOUND");
  }
  std::uint64_t SizeSeenBy(PosixCalls& client) {
    const Result<FileAttr> attr = cluster_.Do(client.Stat("/d/file"));
    EXPECT_TRUE(IsOk(attr));
    return attr ? attr->size : 0;
  }
  /// On a client's machine.
  template <typename T>
  T On(Task<T> call, const std::string& client = "client2") {
    return cluster_.Do(SimCluster::On(cluster_.executor(client), std::move(call)));
  }
  void On(Task<void> call) { cluster_.Await(cluster_.BeginVoid(std::move(call))); }
  Duration TimeOf(Task<Result<void>> call) {
    const Duration begin = cluster_.world().elapsed();
    EXPECT_TRUE(IsOk(cluster_.Do(std::move(call))));
    return cluster_.world().elapsed() - begin;
  }

  const Caller kRoot{};
  SimCluster cluster_{{.seed = 31, .clients = 2}};
  PosixCalls one_{cluster_, "client1"};
  PosixCalls two_{cluster_, "client2"};
};

TEST_F(LeasesTest, ARemovalWaitsForTheKernelsEntries) {
  cluster_.world().RunFor(seconds(5));
  for (int i = 0; i < 5; ++i) {
    Look(two_);
    ASSERT_TRUE(IsOk(cluster_.Do(one_.Unlink("/d/file"))));
    EXPECT_EQ(NameOf(cluster_.Do(two_.Stat("/d/file"))), "NOT_FOUND");
    cluster_.world().RunFor(seconds(40));  // until it is not contended any more
    EXPECT_EQ(NameOf(cluster_.Do(two_.Stat("/d/file"))), "NOT_FOUND");
    ASSERT_TRUE(IsOk(cluster_.Do(one_.WriteFile("/d/file", "again"))));
    EXPECT_TRUE(IsOk(cluster_.Do(two_.Stat("/d/file"))));
    cluster_.world().RunFor(seconds(40));
  }
}

TEST_F(LeasesTest, TheKernelAsksForAnEntryOnceInAWhile) {
  cluster_.world().RunFor(seconds(5));
  Look(two_);
  const std::uint64_t before = cluster_.vfs("client2").lookups();
  for (int i = 0; i < 10; ++i) Look(two_);
  EXPECT_EQ(cluster_.vfs("client2").lookups(), before);
  cluster_.world().RunFor(LeaseCache::kEntryValidity);
  Look(two_);
  EXPECT_EQ(cluster_.vfs("client2").lookups(), before + 3) << "/d, file, absent";
}

TEST_F(LeasesTest, WhatIsKnownIsAnsweredWithoutTheMetaserver) {
  Look(two_);
  cluster_.network().Cut("client2", "meta");
  const Duration begin = cluster_.world().elapsed();
  for (int i = 0; i < 10; ++i) Look(two_);
  EXPECT_LT(cluster_.world().elapsed() - begin, milliseconds(1));
}

TEST_F(LeasesTest, AListingTellsOfAllItsEntries) {
  Vfs& kernel = cluster_.vfs("client2");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(IsOk(cluster_.Do(one_.WriteFile("/d/f" + std::to_string(i), "data"))));
  }
  const Ino directory = cluster_.Do(two_.Stat("/d"))->ino;
  cluster_.world().RunFor(seconds(5));  // it was written to a moment ago
  const Result<HandleId> handle = On(kernel.OpenDir(kRoot, directory));
  ASSERT_TRUE(IsOk(handle));
  // As the kernel does it: with attributes for the first page, and then without.
  std::uint64_t offset = 0;
  for (bool with_attr = true;; with_attr = false) {
    const auto page = On(kernel.ReadDir(kRoot, directory, *handle, offset, 2048, with_attr));
    ASSERT_TRUE(IsOk(page));
    if (page->empty()) break;
    offset = page->back().next_offset;
  }
  On(kernel.ReleaseDir(directory, *handle));
  cluster_.network().Cut("client2", "meta");
  const Duration begin = cluster_.world().elapsed();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(IsOk(cluster_.Do(two_.Stat("/d/f" + std::to_string(i)))));
  EXPECT_LT(cluster_.world().elapsed() - begin, milliseconds(1));
}

TEST_F(LeasesTest, AbsentXattrsAreKnownUntilAnotherSetsOne) {
  const std::string name = "security.selinux";
  const Ino ino = cluster_.Do(two_.Stat("/d/file"))->ino;
  cluster_.network().Cut("client2", "meta");
  const Duration begin = cluster_.world().elapsed();
  EXPECT_EQ(NameOf(On(cluster_.vfs("client2").GetXattr(kRoot, ino, name))), "NO_ATTRIBUTE");
  EXPECT_TRUE(On(cluster_.vfs("client2").ListXattr(kRoot, ino)).value().empty());
  EXPECT_LT(cluster_.world().elapsed() - begin, milliseconds(1));
  cluster_.network().Mend("client2", "meta");
  ASSERT_TRUE(IsOk(On(cluster_.vfs("client1").SetXattr(kRoot, ino, name, "label", 0), "client1")));
  EXPECT_EQ(On(cluster_.vfs("client2").GetXattr(kRoot, ino, name)).value(), "label");
  EXPECT_EQ(On(cluster_.vfs("client2").ListXattr(kRoot, ino)).value().size(), 1u);
}

TEST_F(LeasesTest, AnOpenDirectoryThatAnotherRemovedIsEmpty) {
  Vfs& kernel = cluster_.vfs("client2");
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Mkdir("/e"))));
  const Ino directory = cluster_.Do(two_.Stat("/e"))->ino;
  const Result<HandleId> handle = On(kernel.OpenDir(kRoot, directory));
  ASSERT_TRUE(IsOk(handle));
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Rmdir("/e"))));
  const Result<Attributes> attributes = On(kernel.GetAttr(kRoot, directory, std::nullopt));
  ASSERT_TRUE(IsOk(attributes));
  EXPECT_EQ(attributes->attr.nlink, 0u);
  const auto page = On(kernel.ReadDir(kRoot, directory, *handle, OpenDirectory::kFirstEntry, 4096, false));
  ASSERT_TRUE(IsOk(page));
  EXPECT_TRUE(page->empty());
  On(kernel.ReleaseDir(directory, *handle));
  EXPECT_EQ(NameOf(On(kernel.GetAttr(kRoot, directory, std::nullopt))), "STALE");
}

TEST_F(LeasesTest, AnOpenDirectoryIsListedWhateverItsModeBecomes) {
  Vfs& kernel = cluster_.vfs("client2");
  const Caller user{1000, 1000, 0};
  const Ino directory = cluster_.Do(two_.Stat("/d"))->ino;
  const Result<HandleId> handle = On(kernel.OpenDir(user, directory));
  ASSERT_TRUE(IsOk(handle));
  AttrChange closed;
  closed.mode = 0;
  ASSERT_TRUE(IsOk(On(kernel.SetAttr(kRoot, directory, closed))));
  const auto page = On(kernel.ReadDir(user, directory, *handle, OpenDirectory::kFirstEntry, 4096, false));
  ASSERT_TRUE(IsOk(page));
  EXPECT_EQ(page->size(), 1u);
}

TEST_F(LeasesTest, AnEntryThatWasMovedIsWaitedForInItsNewDirectory) {
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Mkdir("/e"))));
  cluster_.world().RunFor(seconds(5));
  Look(two_);
  ASSERT_TRUE(IsOk(cluster_.Do(two_.Rename("/d/file", "/e/file"))));
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Rename("/e/file", "/e/claimed"))));
  EXPECT_EQ(NameOf(cluster_.Do(two_.Stat("/e/file"))), "NOT_FOUND");
}

TEST_F(LeasesTest, KnowledgeLastsAsLongAsTheSessionIsRenewed) {
  Look(two_);
  for (int i = 0; i < 10; ++i) {
    cluster_.world().RunFor(seconds(4));
    cluster_.network().Cut("client2", "meta");
    const Duration begin = cluster_.world().elapsed();
    EXPECT_EQ(SizeSeenBy(two_), 5u);
    EXPECT_LT(cluster_.world().elapsed() - begin, milliseconds(1));
    cluster_.network().Mend("client2", "meta");
  }
}

TEST_F(LeasesTest, ChangesByAnotherAreSeenAtOnce) {
  for (std::size_t i = 1; i < 20; ++i) {
    Look(two_);
    ASSERT_TRUE(IsOk(cluster_.Do(one_.WriteFile("/d/file", std::string(i, 'x')))));
    ASSERT_EQ(SizeSeenBy(two_), i);
    cluster_.world().RunFor(seconds(3));  // a contended inode is not leased at once
  }
}

TEST_F(LeasesTest, WhatWasAbsentIsSeenWhenAnotherMakesIt) {
  Look(two_);
  ASSERT_TRUE(IsOk(cluster_.Do(one_.WriteFile("/d/absent", "now there"))));
  EXPECT_TRUE(IsOk(cluster_.Do(two_.Stat("/d/absent"))));
}

TEST_F(LeasesTest, WhatAnotherRemovedIsGone) {
  Look(two_);
  ASSERT_TRUE(IsOk(cluster_.Do(one_.Unlink("/d/file"))));
  EXPECT_EQ(NameOf(cluster_.Do(two_.Stat("/d/file"))), "NOT_FOUND");
}

TEST_F(LeasesTest, WhatItChangedItselfIsSeen) {
  Look(two_);
  ASSERT_TRUE(IsOk(cluster_.Do(two_.WriteFile("/d/file", "longer than before"))));
  EXPECT_EQ(SizeSeenBy(two_), 18u);
  ASSERT_TRUE(IsOk(cluster_.Do(two_.Link("/d/file", "/d/absent"))));
  const Result<FileAttr> linked = cluster_.Do(two_.Stat("/d/file"));
  ASSERT_TRUE(IsOk(linked));
  EXPECT_EQ(linked->nlink, 2u);
}

TEST_F(LeasesTest, AHolderThatIsCutOffHoldsOthersUpUntilItsSessionLapses) {
  Look(two_);
  cluster_.network().Cut("client2", "meta");
  const Duration took = TimeOf(one_.WriteFile("/d/file", "changed meanwhile"));
  EXPECT_GT(took, seconds(3));
  EXPECT_LT(took, seconds(12));
  // It does not believe what it knew: it waits.
  auto seen = cluster_.Begin(two_.Stat("/d/file"));
  cluster_.world().RunFor(seconds(2));
  EXPECT_FALSE(seen->has_value());
  cluster_.network().Mend("client2", "meta");
  const Result<FileAttr> attr = cluster_.Await(seen);
  ASSERT_TRUE(IsOk(attr));
  EXPECT_EQ(attr->size, 17u);
}

TEST_F(LeasesTest, AHolderThatStandsStillBelievesNothingAfterwards) {
  Look(two_);
  cluster_.machine("client2").Pause();
  ASSERT_TRUE(IsOk(cluster_.Do(one_.WriteFile("/d/file", "changed meanwhile"))));
  cluster_.machine("client2").Resume();
  EXPECT_EQ(SizeSeenBy(two_), 17u);
}

TEST_F(LeasesTest, ARestartedMetaserverKnowsWhoMayHoldLeases) {
  Look(two_);
  cluster_.Kill("meta");
  cluster_.Start("meta");
  cluster_.network().Cut("client2", "meta");  // it cannot say that it is there
  const Duration took = TimeOf(one_.WriteFile("/d/file", "changed meanwhile"));
  EXPECT_GT(took, seconds(5));
  EXPECT_LT(took, seconds(15));
  cluster_.network().Mend("client2", "meta");
  EXPECT_EQ(SizeSeenBy(two_), 17u);
}

TEST_F(LeasesTest, ARestartOfTheMetaserverHoldsNobodyUpForLong) {
  Look(two_);
  cluster_.Kill("meta");
  cluster_.Start("meta");
  EXPECT_LT(TimeOf(one_.WriteFile("/d/file", "changed meanwhile")), seconds(3));
  EXPECT_EQ(SizeSeenBy(two_), 17u);
}

TEST_F(LeasesTest, TwoWhoMakeFilesInOneDirectoryDoNotWaitForEachOther) {
  Look(one_);
  Look(two_);
  const Duration begin = cluster_.world().elapsed();
  std::vector<std::shared_ptr<std::optional<Result<void>>>> made;
  for (int i = 0; i < 20; ++i) {
    made.push_back(cluster_.Begin(one_.WriteFile("/d/one" + std::to_string(i), "1")));
    made.push_back(cluster_.Begin(two_.WriteFile("/d/two" + std::to_string(i), "2")));
  }
  for (auto& one : made) EXPECT_TRUE(IsOk(cluster_.Await(one)));
  EXPECT_LT(cluster_.world().elapsed() - begin, seconds(2));
  for (PosixCalls* client : {&one_, &two_}) {
    const Result<std::vector<DirectoryItem>> listed = cluster_.Do(client->List("/d"));
    ASSERT_TRUE(IsOk(listed));
    EXPECT_EQ(listed->size(), 41u);
  }
}

}  // namespace
}  // namespace gabion
