#pragma once

#include <map>
#include <optional>
#include <vector>

#include "metaserver/check/chunk_window.h"
#include "metaserver/cluster/cluster.h"

namespace gabion {

/// The placement groups at one moment, as a check looks at them. Pure.
class ChunkGroups {
 public:
  ChunkGroups() = default;
  explicit ChunkGroups(const std::vector<Cluster::GroupView>& views);

  /// None for an unknown group.
  Epoch EpochOf(PgId pg) const;
  /// The position of a server among the members; nothing if it is none.
  std::optional<unsigned> MemberOf(PgId pg, ServerId server) const;
  /// Members in sync; none for an unknown group.
  MemberMask InSync(PgId pg) const;
  std::vector<ServerId> InSyncServers(PgId pg) const;

 private:
  struct Group {
    Epoch epoch;
    std::vector<ServerId> members;
    MemberMask in_sync = 0;
  };

  const Group* Find(PgId pg) const;

  std::map<PgId, Group> groups_;
};

}  // namespace gabion
