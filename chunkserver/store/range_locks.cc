#include "chunkserver/store/range_locks.h"

#include <algorithm>
#include <vector>

#include "common/base/byte_units.h"
#include "common/base/check.h"
#include "common/coro/resumer.h"

namespace gabion {

PageRange PageRange::Covering(std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  CHECK(length_bytes > 0 && offset_bytes < kChunkBytes && length_bytes <= kChunkBytes - offset_bytes);
  return {static_cast<std::uint16_t>(offset_bytes / kPageBytes),
          static_cast<std::uint16_t>((offset_bytes + length_bytes - 1) / kPageBytes)};
}

PageRange PageRange::WholeChunk() {
  return {0, static_cast<std::uint16_t>(kPagesPerChunk - 1)};
}

RangeLocks::~RangeLocks() {
  CHECK(queues_.empty());
}

bool RangeLocks::MustWait(const Queue& queue, Queue::const_iterator entry) {
  for (auto earlier = queue.begin(); earlier != entry; ++earlier) {
    if (earlier->range.Overlaps(entry->range) && !(earlier->shared && entry->shared)) return true;
  }
  return false;
}

Task<RangeLocks::Guard> RangeLocks::Acquire(ChunkId chunk, PageRange range, bool shared) {
  Guard guard;
  guard.chunk_ = chunk;
  bool granted = false;
  {
    std::lock_guard lock(mutex_);
    Queue& queue = queues_[chunk];
    guard.entry_ = queue.insert(queue.end(), Entry{range, shared, false, nullptr});
    granted = !MustWait(queue, guard.entry_);
    guard.entry_->granted = granted;
  }
  guard.locks_ = this;
  if (!granted) {
    Entry& entry = *guard.entry_;
    auto enqueue = [this, &entry](std::function<void()> resume) {
      {
        std::lock_guard lock(mutex_);
        if (!entry.granted) {
          entry.resume = std::move(resume);
          return;
        }
      }
      resume();  // granted in between
    };
    co_await SuspendUntilResumed(enqueue);
  }
  co_return guard;
}

bool RangeLocks::IsLocked(ChunkId chunk, PageRange range) const {
  std::lock_guard lock(mutex_);
  auto found = queues_.find(chunk);
  if (found == queues_.end()) return false;
  const Queue& queue = found->second;
  return std::any_of(queue.begin(), queue.end(),
                     [&](const Entry& entry) { return !entry.shared && entry.range.Overlaps(range); });
}

void RangeLocks::Unlock(ChunkId chunk, Queue::iterator entry) {
  std::vector<std::function<void()>> woken;
  {
    std::lock_guard lock(mutex_);
    auto found = queues_.find(chunk);
    CHECK(found != queues_.end());
    Queue& queue = found->second;
    queue.erase(entry);
    if (queue.empty()) {
      queues_.erase(found);
      return;
    }
    for (auto waiting = queue.begin(); waiting != queue.end(); ++waiting) {
      if (waiting->granted || MustWait(queue, waiting)) continue;
      waiting->granted = true;
      if (waiting->resume) woken.push_back(std::move(waiting->resume));
    }
  }
  for (auto& resume : woken) resume();
}

}  // namespace gabion
