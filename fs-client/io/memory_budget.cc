#include "fs-client/io/memory_budget.h"

#include "common/base/check.h"

namespace gabion {

void MemoryBudget::TakeForWriting(std::size_t bytes) {
  used_.fetch_add(bytes, std::memory_order_relaxed);
  written_.fetch_add(bytes, std::memory_order_relaxed);
}

void MemoryBudget::GiveWritten(std::size_t bytes) {
  const std::size_t before = written_.fetch_sub(bytes, std::memory_order_relaxed);
  CHECK(before >= bytes);
  Give(bytes);
}

bool MemoryBudget::TryTakeForReading(std::size_t bytes) {
  if (used() + bytes > limit_ / 2) return false;
  used_.fetch_add(bytes, std::memory_order_relaxed);
  return true;
}

void MemoryBudget::Give(std::size_t bytes) {
  std::size_t before = used_.fetch_sub(bytes);
  CHECK(before >= bytes);
  if (before < limit_ || before - bytes >= limit_) return;
  std::vector<std::shared_ptr<AsyncEvent>> woken;
  {
    std::lock_guard lock(mutex_);
    woken.swap(waiters_);
  }
  for (const auto& waiter : woken) waiter->Set();
}

std::shared_ptr<AsyncEvent> MemoryBudget::WaitForRoom() {
  if (!full()) return nullptr;
  auto waiter = std::make_shared<AsyncEvent>();
  {
    std::lock_guard lock(mutex_);
    waiters_.push_back(waiter);
  }
  if (!full()) waiter->Set();  // room was made before we were in the list
  return waiter;
}

}  // namespace gabion
