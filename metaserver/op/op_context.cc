#include "metaserver/op/op_context.h"

#include <algorithm>

namespace gabion {

Credentials Credentials::Of(const proto::OpHeader& header) {
  return {header.uid(), header.gid(), {header.groups().begin(), header.groups().end()}};
}

bool Credentials::InGroup(std::uint32_t group) const {
  return gid == group || std::find(groups.begin(), groups.end(), group) != groups.end();
}

bool OpContext::OthersMayHaveOpen(Ino ino) const {
  const bool here = session != nullptr && session->HasOpen(ino);
  return state.sessions.awaiting_reclaim() || state.sessions.OpenCount(ino) > (here ? session->open_counts.at(ino) : 0);
}

bool OpContext::Lease(Ino ino) {
  if (session == nullptr || !session->resumed || !state.leases.MayGrant(session->id, ino, now)) return false;
  effects.leased.push_back(ino);
  return true;
}

bool OpContext::LeaseWrite(Ino ino, bool awaited) {
  if (session == nullptr || !session->resumed || session->evicted || session->must_resume) return false;
  if (session->read_only || !state.leases.MayGrantWrite(session->id, ino, awaited, now)) return false;
  effects.write_leased.push_back(ino);
  return true;
}

bool OpContext::IsWrittenElsewhere(Ino ino) const {
  const SessionId writer = state.leases.Writer(ino);
  return state.InGrace() || (writer && (session == nullptr || writer != session->id));
}

}  // namespace gabion
