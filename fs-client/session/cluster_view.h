#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/env/transport.h"
#include "proto/cluster.pb.h"

namespace gabion {

/// Where chunks are: one version of the cluster map, as a client uses it. Immutable; shared between loops.
class ClusterView {
 public:
  struct Server {
    ServerId id;
    Endpoint endpoint;
    bool alive = false;
  };
  struct Pg {
    PgId id;
    Epoch epoch;
    ServerId primary;               // none: writes wait
    std::vector<ServerId> in_sync;  // primary first
    Epoch lost_before;              // what was answered before it, and not synced, may be gone; none: nothing
  };

  /// An empty map: version 0.
  ClusterView() = default;
  /// Servers whose endpoint does not parse are left out, with a log line.
  explicit ClusterView(const proto::ClusterMap& map);

  std::uint64_t version() const { return version_; }
  const Pg* FindPg(PgId pg) const;
  const Server* FindServer(ServerId server) const;
  /// Of which the metaserver has not heard within their leases.
  std::vector<ServerId> DeadServers() const;

 private:
  std::uint64_t version_ = 0;
  std::unordered_map<PgId, Pg> pgs_;
  std::unordered_map<ServerId, Server> servers_;
};

using ClusterViewPtr = std::shared_ptr<const ClusterView>;

}  // namespace gabion
