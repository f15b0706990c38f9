#include "chunkserver/cluster/membership_view.h"

#include <fmt/format.h>

#include <algorithm>

namespace gabion {

bool MembershipView::Group::HasInSync(ServerId server) const {
  return std::find(in_sync.begin(), in_sync.end(), server) != in_sync.end();
}

Result<MembershipViewPtr> MembershipView::FromMap(const proto::ClusterMap& map) {
  auto view = std::make_shared<MembershipView>();
  view->version_ = map.version();
  for (const proto::ServerEntry& entry : map.servers()) {
    Result<Endpoint> endpoint = Endpoint::Parse(entry.endpoint(), 0);
    if (entry.server_id() == 0 || !endpoint) {
      return Error(ErrorCode::kProtocol, fmt::format("the cluster map has no usable endpoint for chunkserver {}: '{}'",
                                                     entry.server_id(), entry.endpoint()));
    }
    view->servers_.emplace(ServerId(entry.server_id()), std::move(*endpoint));
  }
  for (const proto::PgEntry& entry : map.pgs()) {
    Group group;
    group.id = PgId(entry.pg_id());
    group.epoch = Epoch(entry.epoch());
    group.primary = ServerId(entry.primary());
    for (std::uint32_t member : entry.in_sync()) group.in_sync.emplace_back(member);
    if (group.primary && !group.HasInSync(group.primary)) {
      return Error(ErrorCode::kProtocol,
                   fmt::format("in the cluster map the primary of placement group {} is not in sync", entry.pg_id()));
    }
    view->groups_.emplace(group.id, std::move(group));
  }
  return MembershipViewPtr(std::move(view));
}

const MembershipView::Group* MembershipView::FindGroup(PgId pg) const {
  auto found = groups_.find(pg);
  return found == groups_.end() ? nullptr : &found->second;
}

const Endpoint* MembershipView::FindServer(ServerId server) const {
  auto found = servers_.find(server);
  return found == servers_.end() ? nullptr : &found->second;
}

}  // namespace gabion
