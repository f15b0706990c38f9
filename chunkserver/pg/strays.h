#pragma once

#include "chunkserver/replication/data_context.h"
#include "common/coro/task_group.h"
#include "common/rpc/cancellable_sleep.h"

namespace gabion {

/// Removes the chunks of placement groups of which this server is no member any more: drained, balanced, or made anew
/// elsewhere while it was away. Until all the group's wanted copies are in sync elsewhere they stay. One loop.
///
/// Whoever makes this server a member again later finds each chunk either whole or not there: a chunk goes under the
/// lock that its changes and digests take, after one more look at the map.
class Strays {
 public:
  /// Both outlive it.
  Strays(DataContext& context, Env& env) : context_(context), env_(env) {}

  void Start();
  Task<void> Stop();

 private:
  Task<void> Rounds();
  Task<void> Clear(PgId pg);
  /// Whether it is gone.
  Task<bool> RemoveOne(PgId pg, ChunkId chunk);
  bool IsStray(PgId pg) const;

  DataContext& context_;
  Env& env_;
  bool stopping_ = false;
  CancellableSleep sleep_;
  TaskGroup tasks_;
};

}  // namespace gabion
