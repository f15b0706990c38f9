#include "fs-client/vfs/release_queue.h"

#include <algorithm>

#include "common/base/log.h"

namespace gabion {

void ReleaseQueue::Add(ClientLoop* loop, HandleId handle) {
  {
    std::lock_guard lock(mutex_);
    queued_.push_back(handle);
    if (sending_) return;
    sending_ = true;
  }
  tasks_.Spawn(loop->env().executor, SendUntilEmpty(loop));
}

std::vector<HandleId> ReleaseQueue::TakeBatch() {
  std::lock_guard lock(mutex_);
  std::size_t count = std::min(queued_.size(), kMaxBatch);
  auto end = queued_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<HandleId> batch(queued_.begin(), end);
  queued_.erase(queued_.begin(), end);
  if (batch.empty()) sending_ = false;
  return batch;
}

Task<void> ReleaseQueue::SendUntilEmpty(ClientLoop* loop) {
  while (!session_.stopping()) {
    co_await loop->env().clock.SleepFor(kGather);
    std::vector<HandleId> batch = TakeBatch();
    if (batch.empty()) co_return;
    proto::ReleaseRequest request;
    for (HandleId handle : batch) request.add_handle_ids(handle.value());
    // Closing twice is harmless, so it needs no number.
    Caller nobody;
    auto reply = co_await meta_.Read<proto::ReleaseReply>(loop, nobody, proto::METHOD_RELEASE, std::move(request));
    if (!reply && reply.error().code() != ErrorCode::kCancelled) {
      LogWarning("{} handles could not be closed at the metaserver: {}", batch.size(), reply.error().ToString());
    }
  }
}

}  // namespace gabion
