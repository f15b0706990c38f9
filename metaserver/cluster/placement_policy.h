#pragma once

#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/env/random.h"
#include "metaserver/cluster/failure_domain.h"

namespace gabion {

/// A server that may become a member of new placement groups.
struct PlacementServer {
  ServerId id;
  FailureDomains domains;
};

/// What a placement group is made of.
struct GroupMembers {
  std::vector<ServerId> members;
  ServerId primary;  // one of them
};

/// Decides which placement groups a policy of `replicas` copies still needs. Pure: same inputs (random stream
/// included), same answer. `existing` are the policy's groups.
///
/// - None while fewer than `replicas` servers are there.
/// - At first `groups_per_policy`, spread evenly: members, and among them primaries, come from the servers that have
/// fewest.
/// - For a server that joined later and is in no group, its share (groups_per_policy / servers, rounded up) of new
/// groups
///   with it as a member: existing groups do not move yet, and without that it would stay empty.
///
/// Members are distinct servers, in distinct failure domains while that can be.
std::vector<GroupMembers> PlanGroups(const std::vector<PlacementServer>& servers,
                                     const std::vector<GroupMembers>& existing, std::uint32_t replicas,
                                     std::uint32_t groups_per_policy, Random& random);

/// How much room a server has, as its last heartbeat said.
struct ServerSpace {
  bool known = false;  // false: not heard from since this program's start
  std::uint64_t capacity_bytes = 0;
  std::uint64_t used_bytes = 0;
};

/// Space that stays free of new chunks, so that writes to existing ones go on when a server is nearly full: 1/64 of the
/// capacity, at least 4 MiB, at most 1 GiB.
std::uint64_t ReserveBytes(std::uint64_t capacity_bytes);

/// The share of new chunks that a group with these members takes: by the free space above the reserve, in MiB, of the
/// fullest member; 0 if that has none. Servers not heard from count as kUnknownSpaceWeight.
inline constexpr std::uint32_t kUnknownSpaceWeight = 1024;
std::uint32_t GroupWeight(const std::vector<ServerSpace>& members);

}  // namespace gabion
