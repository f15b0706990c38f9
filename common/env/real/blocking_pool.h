#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "common/coro/task.h"

namespace gabion {

/// A few threads for system calls that block, so that no event loop does. Jobs start in the order they came. What waits
/// is bounded by who submits: each suspended coroutine has one job here, and the RPC server bounds those. Any thread.
class BlockingPool {
 public:
  explicit BlockingPool(unsigned threads);
  ~BlockingPool();  // finishes what was submitted
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  void Submit(std::function<void()> job);

  /// Runs `job` on a pool thread and returns on the caller's executor, which outlives the pool: its thread may still
  /// be in the lines that wake the caller when the caller goes on.
  Task<void> Run(std::function<void()> job);

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gabion
