#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace gabion {

/// Where a server stands, the widest domain first: what is in one of them fails together. Servers that name no zone, or
/// no rack, are taken to share one.
struct FailureDomains {
  std::string zone;
  std::string rack;  // of the zone
  std::string host;
};

/// How many members of a group stand in the domains of a candidate. Less is better, and the widest domain decides.
struct Crowding {
  std::uint32_t in_zone = 0;
  std::uint32_t in_rack = 0;
  std::uint32_t on_host = 0;

  friend auto operator<=>(const Crowding&, const Crowding&) = default;
};

/// How near `candidate` would be to the members of a group. Pure. Who takes the candidate with the least of it, member
/// by member, puts no two of them into one zone while that can be avoided, then rack, then host.
Crowding CrowdingOf(const FailureDomains& candidate, const std::vector<FailureDomains>& members);

}  // namespace gabion
