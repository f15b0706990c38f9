#include "chunkserver/cluster/membership_view.h"

#include <fmt/format.h>

#include <algorithm>

namespace gabion {

bool MembershipView::Group::HasMember(ServerId server) const {
  return std::find(members.begin(), members.end(), server) != members.end() || HasInSync(server) || HasJoining(server);
}

bool MembershipView::Group::HasInSync(ServerId server) const {
  return std::find(in_sync.begin(), in_sync.end(), server) != in_sync.end();
}

bool MembershipView::Group::HasJoining(ServerId server) const {
  return std::any_of(joining.begin(), joining.end(), [&](const Joiner& joiner) { return joiner.server == server; });
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
    if (!entry.alive()) view->dead_.emplace_back(entry.server_id());
    view->servers_.emplace(ServerId(entry.server_id()), std::move(*endpoint));
  }
  for (const proto::PgEntry& entry : map.pgs()) {
    Group group;
    group.id = PgId(entry.pg_id());
    group.epoch = Epoch(entry.epoch());
    group.primary = ServerId(entry.primary());
    group.replicas = entry.replicas();
    group.min_replicas = entry.min_replicas();
    for (std::uint32_t member : entry.members()) group.members.emplace_back(member);
    for (std::uint32_t member : entry.in_sync()) group.in_sync.emplace_back(member);
    for (const proto::Joiner& joiner : entry.joining()) {
      group.joining.push_back({ServerId(joiner.server_id()), Epoch(joiner.since_epoch())});
    }
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

bool MembershipView::IsDead(ServerId server) const {
  return std::find(dead_.begin(), dead_.end(), server) != dead_.end();
}

const Endpoint* MembershipView::FindServer(ServerId server) const {
  auto found = servers_.find(server);
  return found == servers_.end() ? nullptr : &found->second;
}

}  // namespace gabion
