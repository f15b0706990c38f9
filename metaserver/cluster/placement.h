#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/env/random.h"

namespace gabion {

/// Where chunks can go and where they are: an immutable picture of the placement groups, taken by every op that needs
/// one. Any thread.
class Placement {
 public:
  struct Group {
    PgId id;
    std::uint32_t replicas = 0;
    std::vector<ServerId> members;
    std::uint32_t weight = 0;  // GroupWeight of its members
    bool writable = false;     // its members take changes now
    Epoch epoch{};
  };
  struct Space {
    std::uint64_t capacity_bytes = 0;
    std::uint64_t used_bytes = 0;

    /// For data of which there are so many copies (at least 1).
    std::uint64_t FreeBytes(std::uint32_t replicas) const {
      return (capacity_bytes - std::min(capacity_bytes, used_bytes)) / std::max<std::uint32_t>(1, replicas);
    }
  };

  Placement() = default;
  /// `servers`: what all servers have together.
  Placement(std::vector<Group> groups, Space servers);

  /// A group for a new chunk, by weight. A group that is not writable is taken only if none is: its writes wait for
  /// servers, and then it is as good as any. Errors: kUnavailable (no groups yet), kNoSpace (all are full).
  Result<PgId> Choose(std::uint32_t replicas, Random& random) const;

  /// Whether there are groups with this many copies, full ones included.
  bool HasGroups(std::uint32_t replicas) const { return policies_.contains(replicas); }
  /// Empty for an unknown group.
  const std::vector<ServerId>& MembersOf(PgId pg) const;
  /// None for an unknown group.
  Epoch EpochOf(PgId pg) const;
  const std::map<PgId, Group>& groups() const { return groups_; }
  const Space& servers() const { return servers_; }

 private:
  /// The groups of one policy that take chunks, with the sum of weights up to and including each.
  struct Wheel {
    std::vector<std::pair<std::uint64_t, PgId>> slots;
  };
  struct Policy {
    Wheel writable;
    Wheel any;
  };

  std::map<PgId, Group> groups_;
  std::map<std::uint32_t, Policy> policies_;
  Space servers_;
};

}  // namespace gabion
