#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "common/env/kv_store.h"

namespace gabion {

/// A store's index, and whether it was ever found damaged: then no answer of it counts any more, not even that a chunk
/// is not there. As KvStore otherwise. Any loop.
class WatchedIndex final : public KvStore {
 public:
  /// `store` outlives it.
  explicit WatchedIndex(KvStore& store) : store_(store) {}

  /// The first damage (kCorrupt) that it answered with.
  std::optional<Error> damage() const;

  Result<std::optional<std::string>> Get(std::string_view key) override;
  Task<Result<void>> Load(std::string key) override;
  Result<void> Scan(std::string_view first, std::string_view last, const Visitor& visit) override;
  Task<Result<void>> LoadRange(std::string first, std::string last, std::size_t max_entries) override;
  /// Its reads are not watched.
  std::unique_ptr<KvSnapshot> TakeSnapshot() override { return store_.TakeSnapshot(); }
  Result<CommitSeq> Apply(const WriteBatch& batch) override;
  Task<Result<void>> WaitApplied(CommitSeq seq) override;
  Task<Result<CommitSeq>> Sync() override;

 private:
  /// Looks at an answer on its way to the caller.
  template <typename T>
  Result<T> Seen(Result<T> answer) {
    if (!answer && answer.error().code() == ErrorCode::kCorrupt) Note(answer.error());
    return answer;
  }
  void Note(const Error& error);

  KvStore& store_;
  std::atomic<bool> is_damaged_ = false;
  mutable std::mutex mutex_;
  std::optional<Error> damage_;
};

}  // namespace gabion
