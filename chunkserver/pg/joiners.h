#pragma once

#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "common/base/ids.h"

namespace gabion {

/// What joiners of this primary's placement groups have missed: a pure decision, under one mutex, of whether a change
/// must reach a joiner. Any loop.
///
/// A joiner is optional at first: what does not reach it is noted and sent again. Once nothing is missing it is
/// required, for as long as the epoch lasts: the metaserver may make it a member in sync at any moment from then on, so
/// nothing may be acknowledged that it has not.
class Joiners {
 public:
  enum class Part { kSkip, kOptional, kRequired };

  /// How a change of `chunk`, whose pages the caller has locked, is passed on. `can_apply`: what the joiner has now is
  /// enough to do it. kSkip: not at all; it is noted.
  Part PartIn(PgId pg, Epoch epoch, ServerId joiner, ChunkId chunk, bool can_apply);
  /// A change that was passed on was not done there. True if it had to be.
  bool Missed(PgId pg, Epoch epoch, ServerId joiner, ChunkId chunk);

  /// It answers: changes are passed on (again).
  void Reached(PgId pg, Epoch epoch, ServerId joiner);
  /// What was missed since the last call, ascending.
  std::vector<ChunkId> TakeMissed(PgId pg, Epoch epoch, ServerId joiner);
  /// From now on it is required; false if something was missed, or it is out of reach.
  bool Require(PgId pg, Epoch epoch, ServerId joiner);
  std::vector<ServerId> RequiredIn(PgId pg, Epoch epoch) const;

 private:
  struct Joiner {
    Epoch epoch;
    bool required = false;
    bool out_of_reach = false;
    std::set<ChunkId> missed;
  };

  // The joiner's state in `epoch`; that of an older one is forgotten. Null if there is a newer one.
  Joiner* FindLocked(PgId pg, Epoch epoch, ServerId joiner);

  mutable std::mutex mutex_;
  std::map<std::pair<PgId, ServerId>, Joiner> joiners_;
};

}  // namespace gabion
