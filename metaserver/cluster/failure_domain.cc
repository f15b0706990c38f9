#include "metaserver/cluster/failure_domain.h"

namespace gabion {

Crowding CrowdingOf(const FailureDomains& candidate, const std::vector<FailureDomains>& members) {
  Crowding crowding;
  for (const FailureDomains& member : members) {
    const bool shares_zone = member.zone == candidate.zone;
    if (shares_zone) ++crowding.in_zone;
    if (shares_zone && member.rack == candidate.rack) ++crowding.in_rack;
    // Whatever the labels say of it, a machine is one machine.
    if (member.host == candidate.host) ++crowding.on_host;
  }
  return crowding;
}

}  // namespace gabion
