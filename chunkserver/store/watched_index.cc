#include "chunkserver/store/watched_index.h"

#include <utility>

namespace gabion {

std::optional<Error> WatchedIndex::damage() const {
  if (!is_damaged_.load(std::memory_order_acquire)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  return damage_;
}

void WatchedIndex::Note(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (damage_) return;
  damage_ = error;
  is_damaged_.store(true, std::memory_order_release);
}

Result<std::optional<std::string>> WatchedIndex::Get(std::string_view key) {
  return Seen(store_.Get(key));
}

Task<Result<void>> WatchedIndex::Load(std::string key) {
  Result<void> loaded = co_await store_.Load(std::move(key));
  co_return Seen(std::move(loaded));
}

Result<void> WatchedIndex::Scan(std::string_view first, std::string_view last, const Visitor& visit) {
  return Seen(store_.Scan(first, last, visit));
}

Task<Result<void>> WatchedIndex::LoadRange(std::string first, std::string last, std::size_t max_entries) {
  Result<void> loaded = co_await store_.LoadRange(std::move(first), std::move(last), max_entries);
  co_return Seen(std::move(loaded));
}

Result<CommitSeq> WatchedIndex::Apply(const WriteBatch& batch) {
  return Seen(store_.Apply(batch));
}

Task<Result<void>> WatchedIndex::WaitApplied(CommitSeq seq) {
  Result<void> applied = co_await store_.WaitApplied(seq);
  co_return Seen(std::move(applied));
}

Task<Result<CommitSeq>> WatchedIndex::Sync() {
  Result<CommitSeq> synced = co_await store_.Sync();
  co_return Seen(std::move(synced));
}

}  // namespace gabion
