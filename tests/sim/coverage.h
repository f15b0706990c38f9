#pragma once

#include <map>
#include <string>

#include "tests/sim/sim_run.h"

namespace gabion {

/// What several runs have come to: faults, and the rare paths of production code (common/env/buggify.h).
class Coverage {
 public:
  /// With every known rare path at nought.
  Coverage();

  void Add(const SimRunOutcome& outcome);
  /// A table, one line each, and a line of what was never reached.
  std::string Report() const;

 private:
  std::map<std::string, int> faults_;
  SimBuggify::Counts rare_;
};

}  // namespace gabion
