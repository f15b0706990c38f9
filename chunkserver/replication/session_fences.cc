#include "chunkserver/replication/session_fences.h"

#include <fmt/format.h>

#include "common/env/mutate.h"

namespace gabion {

Result<SessionFences::Token> SessionFences::Admit(Sender sender) {
  std::lock_guard lock(mutex_);
  TRY(CheckLocked(sender));
  ++under_way_[sender];
  return Token(this, sender);
}

Result<void> SessionFences::Check(Sender sender) const {
  std::lock_guard lock(mutex_);
  return CheckLocked(sender);
}

Result<void> SessionFences::CheckLocked(Sender sender) const {
  if (!sender.session || Mutated("lease.no_fence")) return {};
  auto lowest = lowest_.find(sender.session);
  if (lowest == lowest_.end() || sender.evictions >= lowest->second) return {};
  return Error(ErrorCode::kLeaseLost, fmt::format("session {} was evicted after this was sent: others may write there",
                                                  sender.session.value()));
}

void SessionFences::End(Sender sender) {
  std::lock_guard lock(mutex_);
  auto count = under_way_.find(sender);
  if (--count->second == 0) under_way_.erase(count);
}

bool SessionFences::Fence(Sender fence) {
  std::lock_guard lock(mutex_);
  auto [lowest, is_new] = lowest_.try_emplace(fence.session, 0);
  if (!is_new && fence.evictions <= lowest->second) return false;
  lowest->second = fence.evictions;
  if (!is_new) std::erase(oldest_, fence.session);
  oldest_.push_back(fence.session);
  if (oldest_.size() > kMaxFences) {
    lowest_.erase(oldest_.front());
    oldest_.pop_front();
  }
  return true;
}

bool SessionFences::IsQuiet(Sender fence) const {
  std::lock_guard lock(mutex_);
  auto first = under_way_.lower_bound(Sender{fence.session, 0});
  return first == under_way_.end() || !(first->first < fence) || Mutated("lease.no_fence");
}

bool SessionFences::IsIdle() const {
  std::lock_guard lock(mutex_);
  return under_way_.empty();
}

std::size_t SessionFences::size() const {
  std::lock_guard lock(mutex_);
  return lowest_.size();
}

}  // namespace gabion
