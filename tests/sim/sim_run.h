#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/sim_cluster.h"

namespace gabion {

struct SimRunOptions {
  std::uint64_t seed = 1;
  std::string workload = "posix";
  std::string faults = "all";
  int ops = 150;         // of each of the workload's workers
  std::string mutation;  // what this process has been told to do wrong (mutations.h), for the command that replays it
};

struct SimRunOutcome {
  std::string failure;                // what went wrong first; empty if nothing did
  std::uint64_t trace_hash = 0;       // of everything that happened
  std::map<std::string, int> faults;  // how often each of them struck
  SimBuggify::Counts rare;            // how often production code came to each of its rare paths
};

/// One life of a cluster, all of it drawn from the seed (docs/simulation.md):
/// 1. the workload works under faults;
/// 2. the faults are undone, and all copies must be in sync within bounded virtual time; what is stored is verified;
/// 3. everything is synced, all machines lose power at once, and what comes back is verified;
/// 4. everything is removed, and nothing may remain.
/// The checkers look at the end of 2, 3 and 4. A run whose calls do not end aborts with a message.
SimRunOutcome RunSimulation(const SimRunOptions& options);

/// The command line that does it again.
std::string ReplayCommand(const SimRunOptions& options);

}  // namespace gabion
