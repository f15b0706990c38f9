#include "tests/sim/checker/checker.h"

#include <fmt/format.h>

namespace gabion {

const std::vector<Checker>& Checkers() {
  static const std::vector<Checker> checkers{{"replicas", CheckReplicas},
                                             {"orphans", CheckOrphans},
                                             {"namespace", CheckNamespace},
                                             {"own check", CheckOwnCheck}};
  return checkers;
}

std::string CheckAll(SimCluster& cluster) {
  std::string problems;
  for (const Checker& checker : Checkers()) {
    const std::string found = checker.check(cluster);
    if (!found.empty()) problems += fmt::format("{}: {}", checker.name, found);
  }
  return problems;
}

}  // namespace gabion
