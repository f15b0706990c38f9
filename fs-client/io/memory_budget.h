#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "common/coro/async_event.h"

namespace gabion {

/// The bytes that gathered writes and read-ahead of one mount may hold (DESIGN 6.2). Writers go over it by what one
/// write carries, then wait; read-ahead gets what is left below half of it. Any thread.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t limit_bytes) : limit_(limit_bytes) {}

  void TakeForWriting(std::size_t bytes);
  void GiveWritten(std::size_t bytes);
  bool TryTakeForReading(std::size_t bytes);
  void GiveRead(std::size_t bytes) { Give(bytes); }

  std::size_t limit() const { return limit_; }
  bool full() const { return used_.load(std::memory_order_relaxed) >= limit_; }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  /// By gathered writes.
  std::size_t written() const { return written_.load(std::memory_order_relaxed); }
  /// What to wait for before writing more; null if there is room.
  std::shared_ptr<AsyncEvent> WaitForRoom();

 private:
  void Give(std::size_t bytes);

  const std::size_t limit_;
  std::atomic<std::size_t> used_ = 0;
  std::atomic<std::size_t> written_ = 0;
  std::mutex mutex_;
  std::vector<std::shared_ptr<AsyncEvent>> waiters_;
};

}  // namespace gabion
