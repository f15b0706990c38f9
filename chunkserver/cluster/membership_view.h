#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/env/transport.h"
#include "proto/cluster.pb.h"

namespace gabion {

/// The cluster map as a chunkserver uses it: immutable, shared by all loops.
class MembershipView {
 public:
  struct Joiner {
    ServerId server;
    Epoch since;  // the last epoch in which it was in sync; 0: never
  };
  struct Group {
    PgId id;
    Epoch epoch;
    std::vector<ServerId> members;  // in sync, joining or away
    std::vector<ServerId> in_sync;
    ServerId primary;  // none: 0
    std::vector<Joiner> joining;
    std::uint32_t replicas = 1;  // wanted
    std::uint32_t min_replicas = 1;

    bool HasMember(ServerId server) const;
    bool HasInSync(ServerId server) const;
    bool HasJoining(ServerId server) const;
  };

  MembershipView() = default;
  /// Errors: kProtocol for a map that contradicts itself.
  static Result<std::shared_ptr<const MembershipView>> FromMap(const proto::ClusterMap& map);

  std::uint64_t version() const { return version_; }
  /// Null if there is none.
  const Group* FindGroup(PgId pg) const;
  const std::unordered_map<PgId, Group>& groups() const { return groups_; }
  /// Null if there is none.
  const Endpoint* FindServer(ServerId server) const;
  bool IsDead(ServerId server) const;
  /// Of which the metaserver has not heard within their leases.
  const std::vector<ServerId>& dead_servers() const { return dead_; }

 private:
  std::uint64_t version_ = 0;
  std::unordered_map<PgId, Group> groups_;
  std::unordered_map<ServerId, Endpoint> servers_;
  std::vector<ServerId> dead_;
};

using MembershipViewPtr = std::shared_ptr<const MembershipView>;

}  // namespace gabion
