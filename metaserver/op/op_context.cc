#include "metaserver/op/op_context.h"

#include <algorithm>

namespace gabion {

Credentials Credentials::Of(const proto::OpHeader& header) {
  return {header.uid(), header.gid(), {header.groups().begin(), header.groups().end()}};
}

bool Credentials::InGroup(std::uint32_t group) const {
  return gid == group || std::find(groups.begin(), groups.end(), group) != groups.end();
}

bool OpContext::Lease(Ino ino) {
  if (session == nullptr || !session->resumed || !state.leases.MayGrant(session->id, ino, now)) return false;
  effects.leased.push_back(ino);
  return true;
}

}  // namespace gabion
