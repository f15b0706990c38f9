#include "fs-client/io/flush_queue.h"

#include <tuple>
#include <utility>

namespace gabion {

void FlushQueue::Add(const OpenInodePtr& inode) {
  ClientLoop* loop = nullptr;
  {
    std::lock_guard lock(inode->mutex);
    if (inode->flushing || inode->home == nullptr) return;
    inode->flushing = true;
    loop = inode->home;
  }
  {
    std::lock_guard lock(mutex_);
    waiting_.emplace_back(loop, inode);
  }
  Start();
}

bool FlushQueue::has_waiting() const {
  std::lock_guard lock(mutex_);
  return !waiting_.empty();
}

void FlushQueue::PassSlow(TimePoint now) {
  {
    std::lock_guard lock(mutex_);
    while (!running_.empty() && running_.begin()->second + kSlow <= now) running_.erase(running_.begin());
  }
  Start();
}

void FlushQueue::Start() {
  for (;;) {
    OpenInodePtr inode;
    ClientLoop* loop = nullptr;
    std::uint64_t number = 0;
    {
      std::lock_guard lock(mutex_);
      if (waiting_.empty() || running_.size() >= kMaxRunning) return;
      std::tie(loop, inode) = std::move(waiting_.front());
      waiting_.pop_front();
      number = ++last_number_;
      running_[number] = loop->Now();
    }
    tasks_.Spawn(loop->env().executor, Run(loop, std::move(inode), number));
  }
}

Task<void> FlushQueue::Run(ClientLoop* loop, OpenInodePtr inode, std::uint64_t number) {
  Task<void> flushing = flush_(loop, inode);
  co_await std::move(flushing);
  WaitList::Waiters woken;
  {
    std::lock_guard lock(inode->mutex);
    inode->flushing = false;
    woken = inode->changed.TakeAll();
  }
  WaitList::Wake(woken);  // whoever saw it being flushed, and has more to be flushed, looks again
  {
    std::lock_guard lock(mutex_);
    running_.erase(number);
  }
  Start();
}

}  // namespace gabion
