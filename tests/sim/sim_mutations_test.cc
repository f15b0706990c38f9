// Every mutation (common/env/mutate.h) makes some run fail that passes without it: the checkers bite.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

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
    {"chunk.any_epoch", "registers", "all", 8},
    {"chunk.clear_unsynced", "smallfiles", "blackout", 18},
    {"chunk.forget_failed", "registers", "rift", 3},
    {"chunk.join_at_once", "registers", "kill", 2},
    {"chunk.no_fail", "registers", "rift", 22},
    {"chunk.no_fence", "registers", "late", 6},
    {"chunk.no_lease", "registers", "island", 28},
    {"chunk.no_tombstone", "smallfiles", "kill", 2},
    {"chunk.read_any_copy", "registers", "rift", 22},
    {"chunk.read_beside_change", "registers", "rift", 31},
    {"chunk.serve_unsettled", "registers", "halfway", 6},
    {"chunk.settle_nothing", "registers", "crash", 42},
    {"chunk.skip_last", "registers", "calm", 2},
    {"chunk.sync_primary_only", "registers", "power", 6},
    {"chunk.write_settled", "registers", "crash", 21},
    {"client.fsync_nothing", "smallfiles", "calm", 13},
    {"client.new_number", "storm", "reset", 5},
    {"client.no_epoch", "registers", "calm", 1},
    {"client.no_retry", "smallfiles", "kill", 1},
    {"lease.commit_lost", "contended", "absence", 6},
    {"lease.downgrade_early", "contended", "calm", 1},
    {"lease.evict_at_once", "contended", "eviction", 2},
    {"lease.flush_lapsed", "contended", "stall", 9},
    {"lease.forget_eviction", "contended", "absence", 5},
    {"lease.grant_beside_write", "contended", "calm", 12},
    {"lease.keep_changed", "posix", "calm", 1},
    {"lease.keep_lost_writes", "contended", "network", 15},
    {"lease.keep_over_resume", "posix", "network", 1},
    {"lease.keep_touched", "posix", "calm", 1},
    {"lease.name_no_writes", "registers", "kill", 1},
    {"lease.no_fence", "contended", "cut", 520},
    {"lease.no_grace", "posix", "kill", 10},
    {"lease.no_mark_written", "contended", "absence", 70},
    {"lease.resume_evicting", "registers", "eviction", 19},
    {"lease.return_first", "posix", "calm", 8},
    {"lease.return_told_entries", "posix", "calm", 5},
    {"lease.return_unflushed", "posix", "kill", 1},
    {"lease.revive", "registers", "cut", 26},
    {"lease.serve_lapsed", "contended", "stall", 19},
    {"lease.short_session", "contended", "calm", 1},
    {"lease.show_in_grace", "posix", "kill", 1},
    {"lease.show_unflushed", "posix", "kill", 1},
    {"lease.skip_recall", "posix", "calm", 1},
    {"lease.take_recalled", "storm", "calm", 91},
    {"lease.wake_early", "posix", "calm", 8},
    {"lease.write_without", "posix", "kill", 1},
    {"lock.add_unnamed", "turns", "kill", 1},
    {"lock.name_nothing", "turns", "kill", 1},
    {"lock.no_grace", "turns", "kill", 1},
    {"meta.elect_any", "registers", "kill", 2},
    {"meta.link_nlink", "storm", "calm", 1},
    {"meta.lose_garbage", "smallfiles", "calm", 1},
    {"meta.no_release", "registers", "squeeze", 225},
    {"meta.remove_open", "posix", "calm", 1},
    {"meta.rename_entries", "posix", "calm", 1},
    {"meta.replay_forgets", "storm", "reset", 5},
    {"meta.short_lease", "registers", "island", 33},
    {"meta.sync_nothing", "smallfiles", "calm", 48},
};

/// In a process of its own: what goes wrong may be an invariant's end, or a call that never returns.
bool Passes(const SimRunOptions& options) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    // Its complaints are wanted, and there are many.
    if (std::freopen("/dev/null", "w", stderr) == nullptr) std::_Exit(3);
    if (!Mutate(options.mutation)) std::_Exit(2);
    std::_Exit(RunSimulation(options).failure.empty() ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
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

std::string NameOf(const testing::TestParamInfo<Hunt>& info) {
  std::string name = info.param.mutation;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Mutations, SimMutationsTest, testing::ValuesIn(kHunts), NameOf);

TEST(MutationListTest, AllAreHunted) {
  for (const Mutation& one : Mutations()) {
    EXPECT_TRUE(std::any_of(std::begin(kHunts), std::end(kHunts), [&](const Hunt& hunt) {
      return hunt.mutation == one.name;
    })) << one.name;
  }
}

}  // namespace
}  // namespace gabion
