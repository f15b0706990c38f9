#include "metaserver/cluster/placement_policy.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "common/base/byte_units.h"
#include "common/base/check.h"

namespace gabion {

namespace {

struct ServerLoad {
  std::uint32_t groups = 0;
  std::uint32_t primaries = 0;
};
using ServerLoads = std::map<ServerId, ServerLoad>;

/// Chooses the members of one group, `must` among them if given.
GroupMembers ChooseMembers(const std::vector<PlacementServer>& servers, const ServerLoads& loads,
                           std::uint32_t replicas, const PlacementServer* must, Random& random) {
  std::vector<const PlacementServer*> chosen;
  std::vector<FailureDomains> taken;
  auto choose = [&](const PlacementServer* server) {
    chosen.push_back(server);
    taken.push_back(server->domains);
  };
  if (must != nullptr) choose(must);
  while (chosen.size() < replicas) {
    // Least of: failure domains that are taken, groups, primaries, chance. The last keeps equal servers from always
    // meeting the same partners, so that a lost one's data is on all the others.
    using Rank = std::tuple<Crowding, std::uint32_t, std::uint32_t, std::uint64_t>;
    const PlacementServer* best = nullptr;
    Rank best_rank;
    for (const PlacementServer& server : servers) {
      auto is_same = [&](const PlacementServer* other) { return other->id == server.id; };
      if (std::any_of(chosen.begin(), chosen.end(), is_same)) continue;
      const ServerLoad& load = loads.at(server.id);
      const Rank rank{CrowdingOf(server.domains, taken), load.groups, load.primaries, random.Next()};
      if (best == nullptr || rank < best_rank) {
        best = &server;
        best_rank = rank;
      }
    }
    CHECK(best != nullptr);
    choose(best);
  }
  GroupMembers group;
  for (const PlacementServer* server : chosen) group.members.push_back(server->id);
  group.primary = *std::min_element(group.members.begin(), group.members.end(), [&](ServerId a, ServerId b) {
    return loads.at(a).primaries < loads.at(b).primaries;
  });
  return group;
}

void Count(const GroupMembers& group, ServerLoads& loads) {
  for (ServerId member : group.members) {
    if (auto load = loads.find(member); load != loads.end()) ++load->second.groups;
  }
  if (auto load = loads.find(group.primary); load != loads.end()) ++load->second.primaries;
}

}  // namespace

std::vector<GroupMembers> PlanGroups(const std::vector<PlacementServer>& servers,
                                     const std::vector<GroupMembers>& existing, std::uint32_t replicas,
                                     std::uint32_t groups_per_policy, Random& random) {
  std::vector<GroupMembers> planned;
  if (replicas == 0 || servers.size() < replicas) return planned;
  ServerLoads loads;
  for (const PlacementServer& server : servers) loads.emplace(server.id, ServerLoad{});
  for (const GroupMembers& group : existing) Count(group, loads);

  auto add = [&](const PlacementServer* must) {
    planned.push_back(ChooseMembers(servers, loads, replicas, must, random));
    Count(planned.back(), loads);
  };
  if (existing.empty()) {
    for (std::uint32_t i = 0; i < groups_per_policy; ++i) add(nullptr);
  }
  const auto server_count = static_cast<std::uint32_t>(servers.size());
  const std::uint32_t share = (groups_per_policy + server_count - 1) / server_count;
  for (const PlacementServer& server : servers) {
    if (loads.at(server.id).groups > 0) continue;
    for (std::uint32_t i = 0; i < share; ++i) add(&server);
  }
  return planned;
}

std::uint64_t ReserveBytes(std::uint64_t capacity_bytes) {
  return std::clamp(capacity_bytes / 64, 4 * kMiB, kGiB);
}

std::uint32_t GroupWeight(const std::vector<ServerSpace>& members) {
  std::uint64_t weight = std::numeric_limits<std::uint32_t>::max();
  for (const ServerSpace& member : members) {
    // One without a disk online is broken and not full: it will leave the group, and the others have room.
    if (!member.known || member.capacity_bytes == 0) {
      weight = std::min<std::uint64_t>(weight, kUnknownSpaceWeight);
      continue;
    }
    const std::uint64_t taken = member.used_bytes + ReserveBytes(member.capacity_bytes);
    const std::uint64_t free_bytes = taken < member.capacity_bytes ? member.capacity_bytes - taken : 0;
    weight = std::min(weight, free_bytes / kMiB);
  }
  return static_cast<std::uint32_t>(weight);
}

}  // namespace gabion
