#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/sim/sim_cluster.h"

namespace gabion {

struct FaultOptions {
  Duration pause_mean = std::chrono::milliseconds(500);  // between two faults of one stream
  unsigned streams = 2;                                  // faults that may overlap
  bool kills = true;
  bool cuts = true;
  bool pauses = true;
};

/// Does to a cluster, while it works, what a design must live with: servers die and come back, wires are cut in one or
/// both directions, connections break, machines stall, disks are slow, stores are cold. Everything is drawn from the
/// seed, and nothing lasts: each fault is undone after some seconds. Clients are not killed.
class FaultInjector {
 public:
  FaultInjector(SimCluster& cluster, FaultOptions options)
      : cluster_(cluster), options_(options), random_(DeriveSeed(cluster.options().seed, "faults")) {}

  /// The streams, to be spawned by the caller; each ends, with everything whole again, some seconds after Stop.
  std::vector<Task<void>> Streams();
  void Stop() { stopping_ = true; }
  /// How many faults there were.
  int count() const { return count_; }

 private:
  static constexpr int kKinds = 8;

  Task<void> Run();
  Task<void> Inject(std::uint64_t kind);
  Task<void> KillAndRestart(std::string name, bool gently);
  Task<void> CutWire(bool one_way);
  Task<void> Stall(std::string name);
  Task<void> SlowDisk(std::string name);
  Task<void> Sleep(Duration longest);
  void BreakConnections();

  std::string AnyOf(const std::vector<std::string>& names) { return names[random_.Below(names.size())]; }
  std::string AnyServer();
  std::string AnyMachine() { return AnyOf(cluster_.names()); }
  Clock& clock() { return cluster_.world().machine("test").clock(); }

  SimCluster& cluster_;
  const FaultOptions options_;
  SimRandom random_;
  std::set<std::string> busy_;  // what has a fault already
  bool stopping_ = false;
  int count_ = 0;
};

}  // namespace gabion
