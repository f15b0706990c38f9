#pragma once

#include <mutex>
#include <vector>

#include "common/coro/task_group.h"
#include "fs-client/session/meta_call.h"

namespace gabion {

/// Tells the metaserver which handles were closed, many in one request: nobody waits for it. Any loop.
class ReleaseQueue {
 public:
  /// How long the first of a batch waits for others.
  static constexpr Duration kGather = std::chrono::milliseconds(20);
  static constexpr std::size_t kMaxBatch = 1024;

  /// Both outlive it.
  ReleaseQueue(MetaCalls& meta, MetaSession& session, TaskGroup& tasks)
      : meta_(meta), session_(session), tasks_(tasks) {}

  /// What is still queued when the client stops ends with its session.
  void Add(ClientLoop* loop, HandleId handle);

 private:
  Task<void> SendUntilEmpty(ClientLoop* loop);
  std::vector<HandleId> TakeBatch();

  MetaCalls& meta_;
  MetaSession& session_;
  TaskGroup& tasks_;
  std::mutex mutex_;
  std::vector<HandleId> queued_;
  bool sending_ = false;
};

}  // namespace gabion
