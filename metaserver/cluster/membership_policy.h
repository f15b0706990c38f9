#pragma once

#include <algorithm>
#include <map>
#include <set>

#include "metaserver/cluster/failure_domain.h"
#include "metaserver/cluster/group.h"

namespace gabion {

/// What is known of a chunkserver.
struct ServerFacts {
  bool alive = false;             // its lease may be valid
  std::uint64_t incarnation = 0;  // of its process; 0: of a release that brings no copy in sync
  bool lost_unsynced = false;     // when this incarnation began
  bool draining = false;          // its groups are to move to other servers
  bool in_maintenance = false;    // it may be away for a while, or is about to be
  TimePoint missed_since;         // end of its last maintenance: absences count from then on
  bool full = false;              // there is no room for another group
  FailureDomains domains;
  std::uint64_t capacity_bytes = 0;  // 0: not known
  std::uint64_t used_bytes = 0;
  bool tidy = false;  // what it uses is what its groups take: it has given back the space of those that left it

  std::uint64_t free_bytes() const { return capacity_bytes - std::min(used_bytes, capacity_bytes); }
};

/// What was said of a group in its present epoch.
struct GroupReports {
  std::set<ServerId> caught_up;      // joiners, by the primary
  std::map<ServerId, bool> failing;  // by the primary: they do not do what it asks; true: for want of space
  std::set<ServerId> asked;          // to release the group
  std::set<ServerId> released;       // by themselves: they do not serve it in this epoch any more

  bool empty() const { return caught_up.empty() && failing.empty() && asked.empty() && released.empty(); }
};
using Reports = std::map<PgId, GroupReports>;

struct ClusterFacts {
  TimePoint now;
  Duration down_out{0};  // a member that is away for longer is replaced
  std::map<ServerId, ServerFacts> servers;
  bool may_balance = false;                   // groups may begin to move
  std::map<PgId, std::uint64_t> group_bytes;  // of those that were copied lately

  bool IsAlive(ServerId id) const;
};

/// The pause of a member that went away though its server is alive, before it joins again: the first, and the longest
/// of those that double. It is as at first after half an hour without any.
inline constexpr Duration kFirstPause = std::chrono::seconds(1);
inline constexpr Duration kLongestPause = std::chrono::seconds(64);
inline constexpr Duration kPauseForgotten = std::chrono::minutes(30);

/// Decides which groups change, and into what: docs/replication.md, "Who is what". Each changed one has the next epoch.
/// Pure: neither time nor anything else is taken from elsewhere, and the same inputs give the same answer.
///
/// A group of which no member in sync is alive stays as it is: only they have every change. So does one with a server
/// that is alive and whose incarnation is unknown: that release could not be brought in sync again.
Groups NextGroups(const Groups& groups, const Reports& reports, const ClusterFacts& facts);

/// Which members in sync are to release the group: those that fail, while at least MinReplicas stay; those of drained
/// servers, those whose place was taken and those too many, while all wanted copies stay. Whoever was asked before is
/// among them: it may have done so, and counts for nothing.
std::set<ServerId> MembersToRelease(const PlacementGroup& group, const GroupReports& reports,
                                    const ClusterFacts& facts);

/// Whether every group of a server that is away has another member in sync and alive: what it had is not needed.
bool IsDispensable(ServerId server, const Groups& groups, const ClusterFacts& facts);

}  // namespace gabion
