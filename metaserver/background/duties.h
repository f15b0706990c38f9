#pragma once

#include <memory>
#include <span>

#include "common/coro/task_group.h"
#include "common/rpc/cancellable_sleep.h"
#include "metaserver/cluster/cluster.h"
#include "metaserver/server.h"
#include "metaserver/volume/volume_table.h"

namespace gabion {

/// What the server does without being asked, each duty in the file named for it. One pass after another on one loop,
/// each in steps that hold a strand as long as an op does, with the loop's requests served in between. A pass does a
/// bounded number of steps, so that no duty waits for long work of another; the next one goes on. Leases and sessions
/// are watched beside all that, for a dead server, or client, holds up others until it is noticed.
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
  /// Takes from lapsed sessions what others want: locks, and what they have not brought to the chunkservers.
  Task<Result<void>> EvictLapsed();

 private:
  /// Steps that one pass of one duty takes; some ten milliseconds of work.
  static constexpr int kMaxStepsPerPass = 128;
  static constexpr std::size_t kMaxEvictionsPerPass = 256;

  using Pass = Task<Result<void>> (Duties::*)();

  Task<void> Run();
  Task<void> WatchLeases();
  /// Waits for nobody's leases, so that it ends the waits of all others.
  Task<void> WatchSessions();
  Task<void> TakePasses(std::span<const Pass> passes, CancellableSleep& sleep);
  Task<void> EvictFrom(std::shared_ptr<Volume> volume, SessionId holder);
  void WarnOfSlowReturns(Volume& volume);
  /// Gives sessions more time when this server has stood still, and ends waits for leases and locks.
  Task<void> WatchClock();
  Task<void> Expire(std::shared_ptr<Volume> volume, SessionId silent);
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
  CancellableSleep session_sleep_;
  CancellableSleep lease_sleep_;
  CancellableSleep clock_sleep_;
  TimePoint last_tick_;  // of WatchClock
  TimePoint last_warning_;
  bool stopping_ = false;
};

}  // namespace gabion
