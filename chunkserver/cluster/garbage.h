#pragma once

#include <vector>

#include "chunkserver/replication/store_set.h"
#include "common/coro/task_group.h"

namespace gabion {

/// Removes chunks that the metaserver calls garbage, a batch at a time, beside the heartbeats: a slow disk must not
/// cost the lease. One loop.
class Garbage {
 public:
  /// At most so many of a reply are looked at; the rest comes again.
  static constexpr std::size_t kBatchMax = 4096;

  /// Both outlive it.
  Garbage(Env& env, StoreSet& stores) : env_(env), stores_(stores) {}

  /// Begins to remove `chunks`, unless a batch is under way or not yet reported.
  void Take(std::vector<ChunkId> chunks);
  /// What is gone, durably, and not yet reported.
  const std::vector<ChunkId>& removed() const { return removed_; }
  /// The first `count` of removed() are reported.
  void Reported(std::size_t count);
  Task<void> Stop();

 private:
  Task<void> Remove(std::vector<ChunkId> chunks);
  Task<Result<void>> RemoveOne(ChunkId chunk, std::vector<ExtentStore*>& touched);

  Env& env_;
  StoreSet& stores_;
  bool busy_ = false;
  bool stopping_ = false;
  std::vector<ChunkId> removed_;
  TaskGroup tasks_;
};

}  // namespace gabion
