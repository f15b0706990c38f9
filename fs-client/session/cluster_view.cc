#include "fs-client/session/cluster_view.h"

#include <algorithm>

#include "common/base/log.h"

namespace gabion {

ClusterView::ClusterView(const proto::ClusterMap& map) : version_(map.version()) {
  for (const proto::ServerEntry& entry : map.servers()) {
    Result<Endpoint> endpoint = Endpoint::Parse(entry.endpoint(), 0);
    if (!endpoint) {
      LogWarning("cluster map {}: chunkserver {} has no usable address: {}", version_, entry.server_id(),
                 endpoint.error().message());
      continue;
    }
    ServerId id(entry.server_id());
    servers_[id] = Server{id, std::move(*endpoint), entry.alive()};
  }
  for (const proto::PgEntry& entry : map.pgs()) {
    Pg pg{PgId(entry.pg_id()), Epoch(entry.epoch()), ServerId(entry.primary()), {}, Epoch(entry.lost_before_epoch())};
    if (pg.primary) pg.in_sync.push_back(pg.primary);
    for (std::uint32_t member : entry.in_sync()) {
      if (ServerId(member) != pg.primary) pg.in_sync.emplace_back(member);
    }
    pgs_[pg.id] = std::move(pg);
  }
}

std::vector<ServerId> ClusterView::DeadServers() const {
  std::vector<ServerId> dead;
  for (const auto& [id, server] : servers_) {
    if (!server.alive) dead.push_back(id);
  }
  std::sort(dead.begin(), dead.end());
  return dead;
}

const ClusterView::Pg* ClusterView::FindPg(PgId pg) const {
  auto found = pgs_.find(pg);
  return found == pgs_.end() ? nullptr : &found->second;
}

const ClusterView::Server* ClusterView::FindServer(ServerId server) const {
  auto found = servers_.find(server);
  return found == servers_.end() ? nullptr : &found->second;
}

}  // namespace gabion
