#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>

#include "common/base/ids.h"
#include "common/env/clock.h"
#include "metaserver/lease/lease_table.h"
#include "metaserver/lock/lock_table.h"
#include "metaserver/session/session_table.h"
#include "metaserver/store/records.pb.h"

namespace gabion {

/// What a volume keeps in memory beside its sessions. Only the strand reads and changes it (volume.h).
struct VolumeState {
  VolumeState(VolumeId volume_id, std::uint64_t lease_era, std::uint64_t version_floor)
      : id(volume_id), data_version_floor(version_floor), leases(lease_era) {}

  const VolumeId id;
  const std::uint64_t data_version_floor;
  records::Volume record;
  SessionTable sessions;
  LeaseTable leases;
  LockTable locks;
  std::set<SessionId> ended_sessions;  // their stored replies wait for removal (background/session_expiry.h)
  std::set<Ino> orphans;               // nlink 0, and open or made without a name
  std::set<Ino> reclaims;              // chunks or xattrs wait for removal (background/chunk_reclaim.h)
  bool grace_over = false;             // and those who waited for that have been woken
  records::VolumeStats stats;
  std::uint64_t next_ino = 0;  // not delegated yet
  bool closed = false;         // deleted, or the server stops: no more ops

  /// Whether some process may have the file open, also one whose client has yet to say so after a restart of this
  /// server.
  bool MayBeOpen(Ino ino) const { return sessions.IsOpen(ino) || sessions.awaiting_reclaim(); }
  /// The data version of content that had version `before` (0: none). No version is given twice, for two contents would
  /// seem to be one; not even if what an earlier process gave was lost with the machine's power.
  std::uint64_t NextDataVersion(std::uint64_t before) const { return std::max(before, data_version_floor) + 1; }
  /// Sessions of before this process may hold leases that nobody knows of, until they have come back or are evicted.
  bool InGrace() const { return !grace_over && sessions.awaiting_holders(); }
};

}  // namespace gabion
