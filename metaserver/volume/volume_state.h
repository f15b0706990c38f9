#pragma once

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
  VolumeState(VolumeId volume_id, std::uint64_t lease_era) : id(volume_id), leases(lease_era) {}

  const VolumeId id;
  records::Volume record;
  SessionTable sessions;
  LeaseTable leases;
  LockTable locks;
  TimePoint grace_end;  // until it, sessions of before this process may hold leases that they name nowhere
  std::set<SessionId> ended_sessions;  // their stored replies wait for removal (background/session_expiry.h)
  std::set<Ino> orphans;               // nlink 0, and open or made without a name
  std::set<Ino> reclaims;              // chunks or xattrs wait for removal (background/chunk_reclaim.h)
  bool grace_over = false;             // those who waited for that have been woken
  records::VolumeStats stats;
  std::uint64_t next_ino = 0;  // not delegated yet
  bool closed = false;         // deleted, or the server stops: no more ops

  /// Whether some process may have the file open, also one whose client has yet to say so after a restart of this
  /// server.
  bool MayBeOpen(Ino ino) const { return sessions.IsOpen(ino) || sessions.awaiting_reclaim(); }
  bool InGrace(TimePoint now) const { return now < grace_end && sessions.awaiting_reclaim(); }
};

}  // namespace gabion
