// Random work under random faults, compared with a model. More seeds: GABION_SIM_SEEDS=1000; one:
// GABION_SIM_SEEDS=17:17.
#include "tests/sim/workload/random_ops.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/base/byte_units.h"
#include "tests/sim/workload/fault_injector.h"

namespace gabion {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

struct SeedRange {
  std::uint64_t first = 1;
  std::uint64_t last = 6;
};

/// "LAST" or "FIRST:LAST" in the environment.
SeedRange Seeds() {
  SeedRange range;
  const char* text = std::getenv("GABION_SIM_SEEDS");
  if (text == nullptr) return range;
  const std::string seeds(text);
  const std::size_t colon = seeds.find(':');
  if (colon != std::string::npos) range.first = std::strtoull(seeds.c_str(), nullptr, 10);
  range.last = std::strtoull(seeds.c_str() + (colon == std::string::npos ? 0 : colon + 1), nullptr, 10);
  return range;
}

/// A cluster and its troubles, as the seed has it.
SimClusterOptions ClusterOf(std::uint64_t seed) {
  SimRandom random(DeriveSeed(seed, "cluster"));
  SimClusterOptions options;
  options.seed = seed;
  options.clients = 2;
  options.replicas = 1 + static_cast<std::uint32_t>(random.Below(3));
  options.chunkservers = options.replicas + static_cast<unsigned>(random.Below(2));
  options.pgs_per_policy = 1 + static_cast<std::uint32_t>(random.Below(8));
  if (random.Chance(1, 3)) options.client_memory_bytes = 4 * kMiB;
  return options;
}

void MakeHarder(SimCluster& cluster) {
  SimRandom random(DeriveSeed(cluster.options().seed, "hardships"));
  if (random.Chance(1, 2)) {
    cluster.network().options().delay_extra_mean = std::chrono::milliseconds(1 + random.Below(5));
  }
  if (random.Chance(1, 3)) {
    cluster.store("meta").options().cold = true;
    cluster.store("meta").options().warm_keys_max = 200;
  }
  for (const std::string& name : cluster.names()) {
    if (random.Chance(1, 3))
      cluster.machine(name).clock().SetDrift(static_cast<std::int64_t>(random.Below(2000)) - 1000);
    if (random.Chance(1, 3)) cluster.machine(name).clock().SetWallOffset(-seconds(random.Below(3600)));
  }
}

struct Outcome {
  std::uint64_t trace_hash = 0;
  int faults = 0;
  std::string failure;
};

bool NothingRemains(SimCluster& cluster) {
  return cluster.WaitForStatus(
      [](const proto::AdminStatusReply& status) {
        return status.garbage_chunks() == 0 && status.volumes(0).inodes() == 1 && status.volumes(0).used_bytes() == 0;
      },
      minutes(20));  // the sessions from before the power loss expire first
}

Outcome RunSeed(std::uint64_t seed, int ops) {
  SimCluster cluster(ClusterOf(seed));
  MakeHarder(cluster);
  RandomOps work(cluster, {.ops = ops});
  FaultInjector faults(cluster, {});
  cluster.Do(work.Prepare());

  std::vector<std::shared_ptr<std::optional<bool>>> streams;
  for (Task<void>& stream : faults.Streams()) streams.push_back(cluster.BeginVoid(std::move(stream)));
  cluster.world().RunUntilAllDone(work.Workers(), hours(3));
  faults.Stop();
  for (const auto& stream : streams) cluster.Await(stream);

  if (work.failure().empty()) cluster.Do(work.VerifyAll());
  if (work.failure().empty()) {
    cluster.Do(work.SyncAll());
    cluster.LosePowerEverywhere();
    cluster.world().RunFor(seconds(1));
    cluster.StartEverything();
    cluster.Do(work.VerifyAll());
  }
  if (work.failure().empty()) {
    cluster.Do(work.RemoveAll());
    if (work.failure().empty() && !NothingRemains(cluster)) return {0, faults.count(), "something was never reclaimed"};
  }
  return {cluster.world().trace_hash(), faults.count(), work.failure()};
}

class RandomOpsTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  static std::string Replay(std::uint64_t seed) {
    const std::string number = std::to_string(seed);
    return "GABION_SIM_SEEDS=" + number + ":" + number + " build/dev/tests/sim_random_ops_test";
  }
};

TEST_P(RandomOpsTest, AgreesWithTheModel) {
  // Printed before, for a program that dies prints nothing after.
  std::fprintf(stderr, "replay: %s\n", Replay(GetParam()).c_str());
  const Outcome outcome = RunSeed(GetParam(), 150);
  EXPECT_EQ(outcome.failure, "") << "replay: GABION_SIM_TRACE=1 " << Replay(GetParam());
  EXPECT_GT(outcome.faults, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomOpsTest, testing::Range<std::uint64_t>(Seeds().first, Seeds().last + 1),
                         testing::PrintToStringParamName());

TEST(DeterminismTest, SameSeedGivesTheSameTrace) {
  const Outcome first = RunSeed(4711, 60);
  const Outcome second = RunSeed(4711, 60);
  EXPECT_EQ(first.failure, "");
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_NE(first.trace_hash, RunSeed(4712, 60).trace_hash);
}

}  // namespace
}  // namespace gabion
