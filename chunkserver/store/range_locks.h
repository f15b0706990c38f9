#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "common/base/ids.h"
#include "common/coro/task.h"

namespace gabion {

/// Pages of a chunk, first to last.
struct PageRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  bool Overlaps(const PageRange& other) const { return first <= other.last && other.first <= last; }
  /// Of a byte range within a chunk; length > 0.
  static PageRange Covering(std::uint64_t offset_bytes, std::uint64_t length_bytes);
  static PageRange WholeChunk();
};

/// Locks on page ranges of chunks, to hold across suspensions. First come, first served: a request waits for
/// every overlapping one before it, granted or not, so that overlapping operations run in the order of their Lock calls
/// and others at the same time. Shared ones do not wait for each other. Any thread; a waiter goes on on its own
/// executor. Without a competitor Lock does not suspend.
class RangeLocks {
 private:
  struct Entry {
    PageRange range;
    bool shared = false;
    bool granted = false;
    std::function<void()> resume;  // set while its coroutine sleeps
  };
  using Queue = std::list<Entry>;

 public:
  /// Unlocks when it goes.
  class [[nodiscard]] Guard {
   public:
    Guard() = default;
    Guard(Guard&& other) noexcept
        : locks_(std::exchange(other.locks_, nullptr)), chunk_(other.chunk_), entry_(other.entry_) {}
    Guard& operator=(Guard&& other) noexcept {
      std::swap(locks_, other.locks_);
      std::swap(chunk_, other.chunk_);
      std::swap(entry_, other.entry_);
      return *this;
    }
    ~Guard() {
      if (locks_ != nullptr) locks_->Unlock(chunk_, entry_);
    }

   private:
    friend class RangeLocks;
    RangeLocks* locks_ = nullptr;
    ChunkId chunk_;
    Queue::iterator entry_;
  };

  RangeLocks() = default;
  ~RangeLocks();  // CHECKs that nothing is locked
  RangeLocks(const RangeLocks&) = delete;
  RangeLocks& operator=(const RangeLocks&) = delete;

  /// Whoever holds several locks has one a chunk, and takes them in ascending order of chunk. (Two in one chunk are a
  /// deadlock as soon as a request over both comes in between: it waits for the first, and the second waits for it.)
  Task<Guard> Lock(ChunkId chunk, PageRange range) { return Acquire(chunk, range, false); }
  Task<Guard> LockShared(ChunkId chunk, PageRange range) { return Acquire(chunk, range, true); }
  /// Whether anybody has, or waits for, any of these pages, and does not share them.
  bool IsLocked(ChunkId chunk, PageRange range) const;

 private:
  Task<Guard> Acquire(ChunkId chunk, PageRange range, bool shared);
  void Unlock(ChunkId chunk, Queue::iterator entry);
  static bool MustWait(const Queue& queue, Queue::const_iterator entry);

  mutable std::mutex mutex_;
  std::unordered_map<ChunkId, Queue> queues_;
};

}  // namespace gabion
