#include "tests/sim/sim_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/byte_units.h"
#include "tests/sim/checker/checker.h"
#include "tests/sim/fault/fault_mix.h"
#include "tests/sim/workload/workload.h"

namespace gabion {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

/// Longer than any fault keeps a client away.
constexpr Duration kLongTtl = minutes(2);

SimClusterOptions ClusterOf(std::uint64_t seed, bool takes_lapses) {
  SimRandom random(DeriveSeed(seed, "cluster"));
  SimClusterOptions options;
  options.seed = seed;
  options.clients = 2 + static_cast<unsigned>(random.Below(2));
  options.replicas = 1 + static_cast<std::uint32_t>(random.Below(3));
  options.chunkservers = options.replicas + static_cast<unsigned>(random.Below(2));
  options.pgs_per_policy = 1 + static_cast<std::uint32_t>(random.Below(8));
  if (random.Chance(1, 3)) options.client_memory_bytes = 4 * kMiB;
  if (!takes_lapses) options.session_ttl = kLongTtl;
  return options;
}

void MakeHarder(SimCluster& cluster) {
  SimRandom random(DeriveSeed(cluster.options().seed, "hardships"));
  if (random.Chance(1, 2)) {
    cluster.network().options().delay_extra_mean = std::chrono::milliseconds(1 + random.Below(5));
  }
  if (random.Chance(1, 3)) {
    cluster.store("meta").options().cold = true;
    cluster.store("meta").options().warm_keys_max = 1000;
  }
  for (const std::string& name : cluster.names()) {
    if (random.Chance(1, 3))
      cluster.machine(name).clock().SetDrift(static_cast<std::int64_t>(random.Below(2000)) - 1000);
    if (random.Chance(1, 3)) cluster.machine(name).clock().SetWallOffset(-seconds(random.Below(3600)));
  }
}

/// Its steps end the run at the first failure.
class SimRun {
 public:
  explicit SimRun(const SimRunOptions& options)
      : cluster_(ClusterOf(options.seed, TakesLapses(options.workload))),
        workload_(MakeWorkload(options.workload, cluster_, options.ops)) {
    CHECK(workload_ != nullptr);
    cluster_.world().buggify().Enable();
    MakeHarder(cluster_);
    faults_ = std::make_unique<FaultMix>(options.faults, cluster_, *workload_);
  }

  SimRunOutcome Run() {
    for (const auto step : {&SimRun::Work, &SimRun::Converge, &SimRun::LosePower, &SimRun::Remove}) {
      failure_ = (this->*step)();
      if (failure_.empty()) failure_ = workload_->failure();
      if (!failure_.empty()) break;
    }
    return {failure_, cluster_.world().trace_hash(), faults_->counts(), cluster_.world().buggify().counts()};
  }

 private:
  std::string Work() {
    cluster_.Do(workload_->Prepare());
    std::vector<std::shared_ptr<std::optional<bool>>> streams;
    for (Task<void>& stream : faults_->Streams()) streams.push_back(cluster_.BeginVoid(std::move(stream)));
    cluster_.world().RunUntilAllDone(workload_->Streams(), hours(3));
    faults_->Stop();
    for (const auto& stream : streams) cluster_.Await(stream);
    return {};
  }

  std::string Converge() {
    cluster_.network().MendAll();
    std::string problem = AwaitRest();
    if (!problem.empty()) return problem;
    cluster_.Do(workload_->Verify());
    return CheckAll(cluster_);
  }

  std::string LosePower() {
    cluster_.Do(workload_->SyncAll());
    cluster_.LosePowerEverywhere();
    workload_->PowerLost();
    cluster_.world().RunFor(seconds(1));
    cluster_.StartEverything();
    std::string problem = AwaitRest();
    if (!problem.empty()) return problem;
    cluster_.Do(workload_->Verify());
    return CheckAll(cluster_);
  }

  std::string Remove() {
    cluster_.Do(workload_->Remove());
    // The sessions from before the power loss expire first.
    const bool is_empty = cluster_.WaitForStatus(
        [](const proto::AdminStatusReply& status) {
          return status.garbage_chunks() == 0 && status.volumes(0).inodes() == 1 && status.volumes(0).used_bytes() == 0;
        },
        minutes(20));
    return is_empty ? CheckAll(cluster_) : "something was never reclaimed";
  }

  static bool IsAtRest(const proto::AdminStatusReply& status) {
    return status.pgs_healthy() == status.pgs() && status.garbage_chunks() == 0 &&
           std::all_of(status.servers().begin(), status.servers().end(), [](const auto& one) { return one.alive(); });
  }

  /// Until every copy is in sync and every deletion carried out.
  std::string AwaitRest() {
    cluster_.world().RunFor(seconds(1));  // what was closed last is released, and may be garbage only then
    proto::AdminStatusReply last;
    const bool rests = cluster_.WaitForStatus(
        [&last](const proto::AdminStatusReply& status) {
          last = status;
          return IsAtRest(status);
        },
        minutes(10));
    if (rests) return {};
    return fmt::format("after 10 minutes without faults {} of {} PGs are healthy and {} chunks are garbage",
                       last.pgs_healthy(), last.pgs(), last.garbage_chunks());
  }

  SimCluster cluster_;
  std::unique_ptr<Workload> workload_;
  std::unique_ptr<FaultMix> faults_;
  std::string failure_;
};

}  // namespace

SimRunOutcome RunSimulation(const SimRunOptions& options) {
  return SimRun(options).Run();
}

std::string ReplayCommand(const SimRunOptions& options) {
  const std::string mutation = options.mutation.empty() ? "" : " --mutate " + options.mutation;
  return fmt::format("gabion-sim --seed {} --workload {} --faults {} --ops {}{}", options.seed, options.workload,
                     options.faults, options.ops, mutation);
}

}  // namespace gabion
