#pragma once

#include "chunkserver/replication/data_context.h"
#include "common/coro/task_group.h"
#include "common/rpc/cancellable_sleep.h"
#include "proto/cluster.pb.h"

namespace gabion {

/// Scrubs all chunks of the placement groups that this server leads, again and again: a pass begins every
/// `pass_interval` and spreads its work over that time; beside clients it rests three times as long as it works, and a
/// pass may take longer for it. One loop.
///
/// Chunks that were changed a moment ago are left for the next pass, and so are groups that get a new epoch.
class Scrubber {
 public:
  /// Both outlive it. `pass_interval` 0: never.
  Scrubber(DataContext& context, Env& env, Duration pass_interval)
      : context_(context), env_(env), pass_interval_(pass_interval) {}

  void Start();
  Task<void> Stop();

  /// For a heartbeat.
  const proto::ScrubReport& report() const { return report_; }

 private:
  Task<void> Passes();
  Task<void> Pass();
  Task<void> ScrubGroup(PgId pg, Epoch epoch);
  Task<bool> ScrubOne(PgId pg, Epoch epoch, ChunkId chunk, std::uint64_t length_bytes);
  std::uint64_t StoredBytes() const;

  DataContext& context_;
  Env& env_;
  const Duration pass_interval_;
  proto::ScrubReport report_;
  bool stopping_ = false;
  CancellableSleep sleep_;
  TaskGroup tasks_;
};

}  // namespace gabion
