// Which workloads there are.
#include "tests/sim/workload/appends.h"
#include "tests/sim/workload/posix_workload.h"
#include "tests/sim/workload/registers.h"
#include "tests/sim/workload/small_files.h"
#include "tests/sim/workload/storm.h"
#include "tests/sim/workload/turns.h"
#include "tests/sim/workload/workload.h"

namespace gabion {
namespace {

struct Named {
  std::string_view name;
  std::unique_ptr<Workload> (*make)(SimCluster& cluster, int ops);
};

constexpr Named kWorkloads[] = {
    {"posix",
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> {
       return std::make_unique<PosixWorkload>(cluster, PosixWorkloadOptions{.ops = ops});
     }},
    {"registers",
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> {
       return std::make_unique<Registers>(cluster, RegistersOptions{.ops = ops, .one_writer_each = true});
     }},
    {"contended",
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> {
       return std::make_unique<Registers>(cluster, RegistersOptions{.ops = ops, .one_writer_each = false});
     }},
    {"storm",
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> { return std::make_unique<Storm>(cluster, ops); }},
    {"append",
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> {
       return std::make_unique<Appends>(cluster, AppendsOptions{.ops = ops});
     }},
    {"appenders",
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> {
       return std::make_unique<Appends>(cluster, AppendsOptions{.ops = ops, .at_once = true});
     }},
    {"smallfiles",
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> {
       return std::make_unique<SmallFiles>(cluster, ops);
     }},
    {"turns",
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> { return std::make_unique<Turns>(cluster, ops); }},
};

}  // namespace

std::unique_ptr<Workload> MakeWorkload(std::string_view name, SimCluster& cluster, int ops) {
  for (const Named& one : kWorkloads) {
    if (one.name == name) return one.make(cluster, ops);
  }
  return nullptr;
}

std::vector<std::string> WorkloadNames() {
  std::vector<std::string> names;
  for (const Named& one : kWorkloads) names.emplace_back(one.name);
  return names;
}

}  // namespace gabion
