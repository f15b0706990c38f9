#pragma once

#include "common/coro/task_group.h"
#include "common/rpc/cancellable_sleep.h"
#include "metaserver/cluster/cluster.h"
#include "metaserver/server.h"
#include "metaserver/volume/volume_table.h"

namespace gabion {

/// What the server does without being asked, each duty in the file named for it. One pass after another on one loop,
/// each in steps that hold a strand as long as an op does, with the loop's requests served in between. A pass does a
/// bounded number of steps, so that no duty waits for long work of another; the next one goes on. Leases are watched
/// beside all that, for a dead server holds up writes until it is noticed.
class Duties {
 public:
  Duties(Env& env, KvStore& kv, VolumeTable& volumes, Cluster& cluster, const MetaServerOptions& options)
      : env_(env), kv_(kv), volumes_(volumes), cluster_(cluster), options_(options) {}

  void Start();
  /// On the duties' loop.
  Task<void> Stop();

  // One pass of each; for Run and for tests. Errors are the store's; the next pass tries again.

  /// session_expiry.cc: ends sessions that were silent for session_expiry, and removes what ended ones left.
  Task<Result<void>> ExpireSessions();
  /// orphan_reclaim.cc: removes files without a name that nobody has open any more.
  Task<Result<void>> ReclaimOrphans();
  /// chunk_reclaim.cc: removes the chunks and xattrs of large files that were removed or cut.
  Task<Result<void>> ReclaimChunks();
  /// volume_reclaim.cc: removes what deleted volumes left.
  Task<Result<void>> ReclaimVolumes();
  /// Takes the locks of lapsed sessions that others want.
  Task<Result<void>> EvictLapsed();

 private:
  /// Steps that one pass of one duty takes; some ten milliseconds of work.
  static constexpr int kMaxStepsPerPass = 128;

  Task<void> Run();
  Task<void> WatchLeases();
  /// Gives sessions more time when this server has stood still.
  Task<void> WatchClock();
  /// Lets the loop do what else there is.
  Task<void> Yield();
  /// Removes some of what a deleted volume left; whether that was all.
  Task<Result<bool>> ReclaimVolumeStep(VolumeId id);

  Env& env_;
  KvStore& kv_;
  VolumeTable& volumes_;
  Cluster& cluster_;
  const MetaServerOptions& options_;
  TaskGroup group_;
  CancellableSleep sleep_;
  CancellableSleep lease_sleep_;
  CancellableSleep clock_sleep_;
  TimePoint last_tick_;  // of WatchClock
  bool stopping_ = false;
};

}  // namespace gabion
