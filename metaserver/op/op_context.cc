#include "metaserver/op/op_context.h"

#include <algorithm>

namespace gabion {

namespace {

// So that no removal takes long for the sake of data that is then brought to the chunkservers for nothing.
constexpr std::size_t kMaxHandlesLookedAt = 4096;
constexpr std::size_t kMaxHandlesTold = 64;

}  // namespace

Credentials Credentials::Of(const proto::OpHeader& header) {
  return {header.uid(), header.gid(), {header.groups().begin(), header.groups().end()}};
}

bool Credentials::InGroup(std::uint32_t group) const {
  return gid == group || std::find(groups.begin(), groups.end(), group) != groups.end();
}

std::optional<std::vector<HandleId>> OpContext::OnlyHandlesOf(Ino ino) const {
  const std::uint32_t here = session != nullptr && session->HasOpen(ino) ? session->open_counts.at(ino) : 0;
  if (session == nullptr || state.sessions.awaiting_reclaim() || state.sessions.OpenCount(ino) > here)
    return std::nullopt;
  std::vector<HandleId> handles;
  if (here == 0) return handles;
  if (session->handles.size() > kMaxHandlesLookedAt) return std::nullopt;
  for (const auto& [handle, opened] : session->handles) {
    if (opened == ino) handles.push_back(handle);
  }
  if (handles.size() > kMaxHandlesTold) return std::nullopt;
  std::sort(handles.begin(), handles.end());
  return handles;
}

bool OpContext::Lease(Ino ino) {
  if (session == nullptr || !session->resumed) return false;
  if (!state.leases.MayGrant(session->id, ino, now, despite_contention)) return false;
  effects.leased.push_back(ino);
  return true;
}

bool OpContext::LeaseWrite(Ino ino, bool awaited) {
  if (session == nullptr || !session->MayHold()) return false;
  if (session->read_only || !state.leases.MayGrantWrite(session->id, ino, awaited, now)) return false;
  effects.write_leased.push_back(ino);
  return true;
}

bool OpContext::IsWrittenElsewhere(Ino ino) const {
  const SessionId writer = state.leases.Writer(ino);
  return state.InGrace() || (writer && (session == nullptr || writer != session->id));
}

}  // namespace gabion
