#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "common/coro/task_group.h"
#include "fs-client/io/open_inode.h"
#include "fs-client/session/client_loop.h"

namespace gabion {

/// Flushes that nobody waits for, a limited number at once, each on the loop on which its file was written last. Any
/// loop.
class FlushQueue {
 public:
  static constexpr std::size_t kMaxRunning = 64;
  /// One that takes longer does not count any more: its chunkservers may be away, and those of other files not.
  static constexpr Duration kSlow = std::chrono::seconds(2);

  using Flush = std::function<Task<void>(ClientLoop*, OpenInodePtr)>;
  /// `tasks` outlives it.
  FlushQueue(TaskGroup& tasks, Flush flush) : tasks_(tasks), flush_(std::move(flush)) {}

  /// Unless it waits here already, or is being flushed.
  void Add(const OpenInodePtr& inode);
  /// Whether some have to wait until others are done.
  bool has_waiting() const;
  /// From time to time.
  void PassSlow(TimePoint now);

 private:
  void Start();
  Task<void> Run(ClientLoop* loop, OpenInodePtr inode, std::uint64_t number);

  TaskGroup& tasks_;
  const Flush flush_;
  mutable std::mutex mutex_;
  std::deque<std::pair<ClientLoop*, OpenInodePtr>> waiting_;
  std::map<std::uint64_t, TimePoint> running_;  // that count: since when, the oldest first
  std::uint64_t last_number_ = 0;
};

}  // namespace gabion
