// A fixed number of seeds of every combination that must pass. gabion-sim runs others, and more of them.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "tests/sim/sim_run.h"

namespace gabion {
namespace {

struct Combination {
  const char* workload;
  const char* faults;
  int seeds;
};

void PrintTo(const Combination& one, std::ostream* out) {
  *out << one.workload << " under " << one.faults;
}

constexpr Combination kCombinations[] = {
    {"posix", "calm", 2},        {"posix", "kill", 2},         {"posix", "network", 2},     {"posix", "slow", 2},
    {"posix", "power", 2},       {"posix", "all", 2},          {"registers", "calm", 2},    {"registers", "kill", 2},
    {"registers", "network", 2}, {"registers", "slow", 2},     {"registers", "power", 2},   {"registers", "all", 2},
    {"storm", "kill", 1},        {"storm", "network", 1},      {"append", "kill", 1},       {"append", "power", 1},
    {"smallfiles", "kill", 1},   {"smallfiles", "network", 1}, {"turns", "calm", 1},        {"turns", "kill", 2},
    {"turns", "network", 2},     {"contended", "network", 2},  {"contended", "absence", 2}, {"contended", "deaf", 2},
    {"contended", "glimpse", 1}, {"contended", "kill", 1},     {"appenders", "kill", 1},
};

class SimRunsTest : public testing::TestWithParam<Combination> {};

TEST_P(SimRunsTest, KeepsItsPromises) {
  SimRunOptions options;
  options.workload = GetParam().workload;
  options.faults = GetParam().faults;
  for (options.seed = 1; options.seed <= static_cast<std::uint64_t>(GetParam().seeds); ++options.seed) {
    // Printed before, for a program that dies prints nothing after.
    std::fprintf(stderr, "replay: %s\n", ReplayCommand(options).c_str());
    EXPECT_EQ(RunSimulation(options).failure, "") << "replay: " << ReplayCommand(options);
  }
}

std::string NameOf(const testing::TestParamInfo<Combination>& info) {
  return std::string(info.param.workload) + "Under" + info.param.faults;
}

INSTANTIATE_TEST_SUITE_P(Combinations, SimRunsTest, testing::ValuesIn(kCombinations), NameOf);

TEST(DeterminismTest, SameSeedGivesTheSameTrace) {
  for (const char* workload : {"posix", "registers"}) {
    SimRunOptions options{.seed = 4711, .workload = workload, .faults = "all", .ops = 60, .mutation = ""};
    const SimRunOutcome first = RunSimulation(options);
    const SimRunOutcome second = RunSimulation(options);
    EXPECT_EQ(first.trace_hash, second.trace_hash);
    options.seed = 4712;
    EXPECT_NE(first.trace_hash, RunSimulation(options).trace_hash);
  }
}

}  // namespace
}  // namespace gabion
