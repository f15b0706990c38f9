// Which workloads there are.
#include <algorithm>
#include <iterator>

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
  bool takes_lapses;
  std::unique_ptr<Workload> (*make)(SimCluster& cluster, int ops);
};

constexpr Named kWorkloads[] = {
    {"posix", false,
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> {
       return std::make_unique<PosixWorkload>(cluster, PosixWorkloadOptions{.ops = ops});
     }},
    {"registers", true,
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> {
       return std::make_unique<Registers>(cluster, RegistersOptions{.ops = ops, .one_writer_each = true});
     }},
    {"contended", true,
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> {
       return std::make_unique<Registers>(cluster, RegistersOptions{.ops = ops, .one_writer_each = false});
     }},
    {"storm", true,
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> { return std::make_unique<Storm>(cluster, ops); }},
    {"append", false,
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> {
       return std::make_unique<Appends>(cluster, AppendsOptions{.ops = ops});
     }},
    {"appenders", false,
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> {
       return std::make_unique<Appends>(cluster, AppendsOptions{.ops = ops, .at_once = true});
     }},
    {"smallfiles", false,
     [](SimCluster& cluster, int ops) -> std::unique_ptr<Workload> {
       return std::make_unique<SmallFiles>(cluster, ops);
     }},
    {"turns", true,
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

bool TakesLapses(std::string_view name) {
  return std::any_of(std::begin(kWorkloads), std::end(kWorkloads),
                     [name](const Named& one) { return one.name == name && one.takes_lapses; });
}

}  // namespace gabion
