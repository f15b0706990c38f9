#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "common/base/ids.h"
#include "common/env/clock.h"
#include "metaserver/store/records.pb.h"

namespace gabion {

/// What a member has and does: docs/replication.md, "Who is what".
enum class MemberState {
  kInSync,
  kJoining,  // is being brought in sync
  kAway,
};

struct GroupMember {
  ServerId id;
  MemberState state = MemberState::kInSync;
  Epoch since;  // the last epoch in which it was in sync; none: it has nothing that counts, or it is in sync
  Epoch added;  // the epoch in which it was made a member; none: with the group
  std::uint64_t incarnation = 0;  // of its server's process when the group's epoch began; 0: unknown
  Epoch lost_before;              // may have lost what was changed before this epoch and not synced; none: nothing
  bool full = false;              // it went away for want of space
  bool leaving = false;           // the last member takes its place, and it goes when that one is in sync
  Duration pause{0};              // after the last time it went away though its server was alive
  TimePoint join_after;           // end of that pause
  TimePoint away_since;           // while it is away

  friend bool operator==(const GroupMember&, const GroupMember&) = default;
};

/// The servers that keep the same chunks, and which of them are equal.
struct PlacementGroup {
  Epoch epoch;
  std::uint32_t replicas = 0;
  std::vector<GroupMember> members;
  ServerId primary;
  Epoch lost_before;  // the last epoch whose primary had lost something: what nobody had synced before may be gone

  const GroupMember* Find(ServerId id) const;
  std::uint32_t Count(MemberState state) const;
  /// As many members are in sync as the group should have.
  bool IsWhole() const { return Count(MemberState::kInSync) >= replicas; }
  /// One more member, which has nothing yet; the group's next epoch is its first.
  void AddJoiner(ServerId id);
  /// Members that have to be made from nothing.
  std::uint32_t CountRebuilds() const;

  friend bool operator==(const PlacementGroup&, const PlacementGroup&) = default;
};

using Groups = std::map<PgId, PlacementGroup>;

/// With fewer members in sync, changes wait: a majority of small numbers, but a pair goes on with one.
constexpr std::uint32_t MinReplicas(std::uint32_t replicas) {
  return replicas - replicas / 2;
}

records::Group ToRecord(const PlacementGroup& group);
/// Times do not survive this process: pauses and absences begin anew, at `now`.
PlacementGroup GroupOf(const records::Group& record, TimePoint now);

}  // namespace gabion
