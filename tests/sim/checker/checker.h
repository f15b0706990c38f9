#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/sim_cluster.h"

namespace gabion {

// What must be true of a cluster that is whole, healthy and at rest. Each is in the file of its name and reads what
// lies in the stores and on the disks themselves, so that no code under test stands between. They say what is wrong,
// one line each; nothing if all is well.

/// Copies in sync are equal, and their bytes are what their checksums say.
std::string CheckReplicas(SimCluster& cluster);
/// Every chunk that is stored belongs to a file, or is listed as garbage of its server.
std::string CheckOrphans(SimCluster& cluster);
/// Link counts, entry counts and statistics equal what the tables hold; no name leads nowhere, no inode is without a
/// name.
std::string CheckNamespace(SimCluster& cluster);

/// The metaserver's own check (`gabion check`) finds nothing either, on the way that administrators take.
std::string CheckOwnCheck(SimCluster& cluster);

struct Checker {
  std::string_view name;
  std::string (*check)(SimCluster& cluster);
};
const std::vector<Checker>& Checkers();

/// What all of them say, each line with the checker's name before it.
std::string CheckAll(SimCluster& cluster);

}  // namespace gabion
