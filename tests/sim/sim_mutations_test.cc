// Every mutation (common/env/mutate.h) makes some run or scenario fail that passes without it: the checkers bite.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "tests/sim/mutations.h"
#include "tests/sim/sim_run.h"

namespace gabion {
namespace {

/// What finds a mutation, and the first seed with which it does: a change of the protocol makes other runs of the
/// seeds, so those after it are tried as well.
struct Hunt {
  const char* mutation;
  const char* workload;
  const char* faults;
  std::uint64_t first_seed;
};

void PrintTo(const Hunt& one, std::ostream* out) {
  *out << one.mutation << " by " << one.workload << " under " << one.faults;
}

constexpr std::uint64_t kSeedsMax = 200;

constexpr Hunt kHunts[] = {
    {"chunk.any_epoch", "registers", "all", 22},
    {"chunk.clear_unsynced", "smallfiles", "blackout", 39},
    {"chunk.forget_failed", "registers", "rift", 3},
    {"chunk.join_at_once", "registers", "kill", 2},
    {"chunk.no_fail", "contended", "squeeze", 4},
    {"chunk.no_fence", "registers", "late", 57},
    {"chunk.no_lease", "registers", "island", 28},
    {"chunk.no_tombstone", "smallfiles", "kill", 2},
    {"chunk.read_any_copy", "contended", "power", 26},
    {"chunk.read_beside_change", "contended", "glimpse", 21},
    {"chunk.serve_unsettled", "contended", "rift", 45},
    {"chunk.settle_nothing", "registers", "crash", 45},
    {"chunk.skip_last", "registers", "calm", 2},
    {"chunk.sync_primary_only", "registers", "power", 6},
    {"chunk.write_settled", "registers", "crash", 26},
    {"client.fsync_nothing", "smallfiles", "calm", 14},
    {"client.new_number", "storm", "reset", 5},
    {"client.no_epoch", "registers", "calm", 1},
    {"client.no_retry", "smallfiles", "kill", 1},
    {"lease.commit_lost", "contended", "absence", 45},
    {"lease.downgrade_early", "contended", "calm", 1},
    {"lease.evict_at_once", "contended", "eviction", 2},
    {"lease.flush_lapsed", "contended", "deaf", 5},
    {"lease.forget_eviction", "contended", "absence", 6},
    {"lease.grant_beside_write", "contended", "calm", 20},
    {"lease.keep_changed", "posix", "calm", 1},
    {"lease.keep_lost_writes", "contended", "network", 15},
    {"lease.keep_over_resume", "posix", "network", 1},
    {"lease.keep_touched", "posix", "calm", 1},
    {"lease.leave_pages", "contended", "calm", 30},
    {"lease.name_no_writes", "registers", "kill", 3},
    {"lease.no_fence", "contended", "cut", 566},
    {"lease.no_grace", "posix", "kill", 10},
    {"lease.resume_evicting", "registers", "eviction", 19},
    {"lease.return_first", "posix", "calm", 8},
    {"lease.return_told_entries", "posix", "calm", 7},
    {"lease.remove_unnamed", "posix", "calm", 64},
    {"lease.return_unflushed", "posix", "kill", 1},
    {"lease.return_unnamed", "posix", "calm", 13},
    {"lease.revive", "registers", "cut", 74},
    {"lease.serve_lapsed", "registers", "stall", 19},
    {"lease.short_session", "contended", "calm", 2},
    {"lease.show_in_grace", "posix", "kill", 3},
    {"lease.show_unflushed", "posix", "kill", 1},
    {"lease.skip_recall", "posix", "calm", 1},
    {"lease.take_recalled", "storm", "calm", 91},
    {"lease.wake_early", "posix", "calm", 8},
    {"lease.write_without", "posix", "kill", 1},
    {"lock.add_unnamed", "turns", "kill", 5},
    {"lock.ask_no_writer", "turns", "calm", 6},
    {"lock.name_nothing", "turns", "kill", 1},
    {"lock.return_unnamed", "turns", "calm", 1},
    {"lock.no_grace", "turns", "kill", 1},
    {"meta.elect_any", "registers", "kill", 2},
    {"meta.link_nlink", "storm", "calm", 1},
    {"meta.lose_garbage", "smallfiles", "calm", 1},
    {"meta.no_release", "registers", "squeeze", 259},
    {"meta.remove_open", "posix", "calm", 1},
    {"meta.rename_entries", "posix", "calm", 1},
    {"meta.replay_forgets", "storm", "reset", 5},
    {"meta.short_lease", "registers", "island", 71},
    {"meta.sync_nothing", "smallfiles", "calm", 48},
};

/// The scenario that finds a mutation, where what it breaks shows only after several things went wrong one after the
/// other: random work meets that seldom or never.
struct Trap {
  const char* mutation;
  const char* scenario;
};

void PrintTo(const Trap& one, std::ostream* out) {
  *out << one.mutation << " by " << one.scenario;
}

constexpr Trap kTraps[] = {
    {"chunk.read_any_copy", "HalfDoneTest.AMemberDoesNotShowWhatAnotherLacks"},
    {"chunk.read_beside_change", "HalfDoneTest.ThePrimaryDoesNotShowWhatNobodyElseHas"},
    {"chunk.serve_unsettled", "HalfDoneTest.ANewPrimaryShowsNothingBeforeItsMembersAreEqual"},
    {"lease.flush_lapsed", "WriteLeasesOfOneServerTest.WhoReachesAServerThatWasAwaySendsNothingThatIsNotItsAnyMore"},
    {"lease.keep_connections", "WriteLeasesOfOneServerTest.WhatWasUnderWayWhileItWasAwayIsNotWritten"},
    {"lease.no_fence", "WriteLeasesTest.WhatWasUnderWayWhenTheSessionWasEvictedIsNotWritten"},
    {"lease.no_mark_written", "WriteLeasesTest.WhatArrivedBeforeItsWriterWasEvictedIsThereForWhoHadReadAhead"},
};

constexpr int kNotRun = 2;  // as exit status; of sim_scenarios_test as well

/// Whether `work` ends with 0, in a process of its own: what goes wrong may be an invariant's end, or a call that never
/// returns.
bool Passes(const std::function<int()>& work) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    // Its complaints are wanted, and there are many.
    if (std::freopen("/dev/null", "w", stderr) == nullptr) std::_Exit(kNotRun);
    std::_Exit(work());
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == kNotRun);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool Passes(const SimRunOptions& options) {
  return Passes([&options] {
    if (!Mutate(options.mutation)) return kNotRun;
    return RunSimulation(options).failure.empty() ? 0 : 1;
  });
}

/// `mutation`: "" for none.
bool ScenarioPasses(std::string scenario, std::string mutation) {
  std::string program = GABION_SIM_SCENARIOS;
  std::string filter = "--gtest_filter=" + std::move(scenario);
  std::string option = "--mutate";
  return Passes([&] {
    if (std::freopen("/dev/null", "w", stdout) == nullptr) return kNotRun;
    char* const arguments[] = {program.data(), filter.data(), option.data(), mutation.data(), nullptr};
    execv(program.c_str(), arguments);
    return kNotRun;
  });
}

class SimMutationsTest : public testing::TestWithParam<Hunt> {};

TEST_P(SimMutationsTest, IsFound) {
  SimRunOptions options;
  options.workload = GetParam().workload;
  options.faults = GetParam().faults;
  const std::uint64_t first = GetParam().first_seed;
  for (options.seed = first; options.seed < first + kSeedsMax; ++options.seed) {
    options.mutation = GetParam().mutation;
    if (Passes(options)) continue;
    options.mutation.clear();
    ASSERT_TRUE(Passes(options)) << "it fails without the mutation as well: " << ReplayCommand(options);
    std::printf("found with seed %llu\n", static_cast<unsigned long long>(options.seed));
    return;
  }
  FAIL() << GetParam().mutation << " is not found within " << kSeedsMax << " seeds";
}

class TrapsTest : public testing::TestWithParam<Trap> {};

TEST_P(TrapsTest, IsFound) {
  const auto [mutation, scenario] = GetParam();
  EXPECT_TRUE(ScenarioPasses(scenario, "")) << scenario << " fails without " << mutation << " as well";
  EXPECT_FALSE(ScenarioPasses(scenario, mutation)) << mutation << " is not found by " << scenario;
}

template <typename Param>
std::string NameOf(const testing::TestParamInfo<Param>& info) {
  std::string name = info.param.mutation;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Mutations, SimMutationsTest, testing::ValuesIn(kHunts), NameOf<Hunt>);
INSTANTIATE_TEST_SUITE_P(Mutations, TrapsTest, testing::ValuesIn(kTraps), NameOf<Trap>);

TEST(MutationListTest, AllAreHunted) {
  std::set<std::string_view> hunted;
  for (const Hunt& hunt : kHunts) hunted.insert(hunt.mutation);
  for (const Trap& trap : kTraps) hunted.insert(trap.mutation);
  for (const Mutation& one : Mutations()) EXPECT_TRUE(hunted.contains(one.name)) << one.name;
}

}  // namespace
}  // namespace gabion
