#pragma once

#include <map>

#include "chunkserver/replication/data_context.h"
#include "common/rpc/cancellable_sleep.h"

namespace gabion {

/// Whether `self` may remove what it has of a group: it is no member, and all wanted copies are in sync elsewhere.
/// Pure.
bool IsLeftover(const MembershipView& view, ServerId self, PgId pg);

/// Gives back the space of placement groups that have left this server (docs/replication.md, "Groups that left"). One
/// loop.
class Leftovers {
 public:
  /// A group is kept for so long after it was last seen to be this server's: far longer than a lease, so that by then
  /// every server knows of the epoch without this one, or serves nothing.
  static constexpr Duration kKept = std::chrono::seconds(30);

  /// Both outlive it.
  Leftovers(DataContext& context, Env& env) : context_(context), env_(env) {}

  void Start();
  Task<void> Stop();

  /// The version of the map by which nothing is left to be removed; 0: none yet.
  std::uint64_t tidy_version() const { return tidy_version_; }

 private:
  Task<void> Rounds();
  Task<void> Round();
  Task<Result<std::set<PgId>>> FindLeftovers();
  bool IsDue(PgId pg);
  Task<Result<void>> RemoveGroup(PgId pg);
  Task<Result<void>> RemoveFrom(ExtentStore& store, PgId pg);
  Task<Result<void>> RemoveChunk(ExtentStore& store, PgId pg, ChunkId chunk);

  DataContext& context_;
  Env& env_;
  std::map<PgId, TimePoint> seen_since_;  // leftovers that are kept for now, or being removed
  std::uint64_t tidy_version_ = 0;
  bool stopping_ = false;
  CancellableSleep sleep_;
  TaskGroup tasks_;
};

}  // namespace gabion
