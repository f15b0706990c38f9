// Entries that a client's kernel uses: others change what it does not know of without waiting for it, and never wait
// for each other's kernels for long.
#include <fcntl.h>
#include <fmt/format.h>

#include "fs-client/lease/lease_cache.h"
#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class KeptEntriesTest : public testing::Test {
 protected:
  KeptEntriesTest() {
    EXPECT_TRUE(IsOk(cluster_.Do(one_.Mkdir("/d"))));
    EXPECT_TRUE(IsOk(cluster_.Do(one_.Mkdir("/e"))));
    for (const char* path : {"/d/known", "/d/held"}) EXPECT_TRUE(IsOk(cluster_.Do(one_.WriteFile(path, "data"))));
    EXPECT_TRUE(IsOk(cluster_.Do(one_.Link("/d/held", "/e/held"))));
    cluster_.world().RunFor(LeaseCache::kSettled);
  }

  /// A change of /d by client2 is under way from now on, for as long as client3 is away: its kernel has the directory's
  /// lock, and knows one entry.
  std::shared_ptr<std::optional<Result<void>>> BeginWhatTakesLong() {
    EXPECT_TRUE(IsOk(cluster_.Do(two_.Stat("/d/known"))));
    const Result<Fd> fd = cluster_.Do(three_.Open("/e/held", O_WRONLY));
    EXPECT_TRUE(IsOk(fd));
    EXPECT_TRUE(IsOk(cluster_.Do(three_.Pwrite(*fd, 0, "more"))));
    for (const std::string& name : cluster_.names()) {
      if (name != "client3") cluster_.network().Cut("client3", name);
    }
    auto removal = cluster_.Begin(two_.Unlink("/d/held"));
    cluster_.world().RunFor(milliseconds(500));
    EXPECT_FALSE(removal->has_value());
    return removal;
  }
  Duration TimeOf(Task<Result<void>> call) {
    const Duration begin = cluster_.world().elapsed();
    EXPECT_TRUE(IsOk(cluster_.Do(std::move(call))));
    return cluster_.world().elapsed() - begin;
  }

  SimCluster cluster_{{.seed = 71, .clients = 3}};
  PosixCalls one_{cluster_, "client1"};
  PosixCalls two_{cluster_, "client2"};
  PosixCalls three_{cluster_, "client3"};
};

TEST_F(KeptEntriesTest, WhatAKernelDoesNotKnowChangesWithoutIt) {
  auto removal = BeginWhatTakesLong();
  EXPECT_LT(TimeOf(one_.WriteFile("/d/new", "data")), milliseconds(100));
  cluster_.network().MendAll();
  EXPECT_TRUE(IsOk(cluster_.Await(removal)));
}

TEST_F(KeptEntriesTest, WhatAKernelHasKeptItIsAskedFor) {
  auto removal = BeginWhatTakesLong();
  EXPECT_TRUE(IsOk(cluster_.Do(one_.WriteFile("/d/new", "data"))));
  EXPECT_LT(TimeOf(one_.Unlink("/d/known")), seconds(1)) << "its call gives way";
  EXPECT_EQ(NameOf(cluster_.Do(two_.Stat("/d/known"))), "NOT_FOUND");
  cluster_.network().MendAll();
  EXPECT_TRUE(IsOk(cluster_.Await(removal)));
}

TEST_F(KeptEntriesTest, TwoWhoRemoveWhatBothHaveLookedAtDoNotWaitForEachOther) {
  constexpr int kEach = 20;
  const auto path = [](const char* whose, int i) { return fmt::format("/d/{}{}", whose, i); };
  for (int i = 0; i < kEach; ++i) {
    for (const char* whose : {"one", "two"}) ASSERT_TRUE(IsOk(cluster_.Do(one_.WriteFile(path(whose, i), "data"))));
  }
  cluster_.world().RunFor(LeaseCache::kSettled);
  for (PosixCalls* client : {&one_, &two_}) {
    for (int i = 0; i < kEach; ++i) {
      for (const char* whose : {"one", "two"}) ASSERT_TRUE(IsOk(cluster_.Do(client->Stat(path(whose, i)))));
    }
  }
  const Duration begin = cluster_.world().elapsed();
  std::vector<std::shared_ptr<std::optional<Result<void>>>> removed;
  for (int i = 0; i < kEach; ++i) {
    removed.push_back(cluster_.Begin(one_.Unlink(path("one", i))));
    removed.push_back(cluster_.Begin(two_.Unlink(path("two", i))));
  }
  for (auto& one : removed) EXPECT_TRUE(IsOk(cluster_.Await(one)));
  EXPECT_LT(cluster_.world().elapsed() - begin, seconds(1));
}

}  // namespace
}  // namespace gabion
