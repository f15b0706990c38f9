#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/fault/fault.h"

namespace gabion {

/// Faults that happen to a cluster while it works, several at a time, from a named mix: "calm", "crash", "network",
/// "disk", "all", or the name of one fault. Each run has some of the mix's faults, more or less often: odd combinations
/// show what the average of all would not.
class FaultMix {
 public:
  /// `mix` is one of Names().
  FaultMix(std::string_view mix, SimCluster& cluster, Workload& workload);

  static std::vector<std::string> Names();

  /// The streams, to be spawned by the caller; each ends, with everything whole again, some seconds after Stop.
  std::vector<Task<void>> Streams();
  void Stop() { stopping_ = true; }
  /// How often each of them happened.
  const std::map<std::string, int>& counts() const { return counts_; }

 private:
  Task<void> Run();

  FaultScene scene_;
  std::vector<std::unique_ptr<Fault>> faults_;
  Duration pause_mean_;  // between two faults of one stream
  std::map<std::string, int> counts_;
  bool stopping_ = false;
};

}  // namespace gabion
