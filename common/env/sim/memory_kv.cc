#include "common/env/sim/memory_kv.h"

#include <fmt/format.h>

#include <algorithm>

namespace gabion {
namespace {

constexpr std::size_t kScanPortion = 64;

}  // namespace

void MemoryKvContents::Cool() {
  std::lock_guard lock(mutex_);
  warm_.clear();
}

void MemoryKvContents::Erase() {
  std::lock_guard lock(mutex_);
  entries_.clear();
  warm_.clear();
  unsynced_.clear();
  damaged_ = false;
}

void MemoryKvContents::Warm(std::string key) {
  if (!options_.cold) return;
  if (warm_.size() >= options_.warm_keys_max) warm_.clear();
  warm_.insert(std::move(key));
}

void MemoryKvContents::LosePower() {
  std::lock_guard lock(mutex_);
  warm_.clear();
  SimRandom& random = scheduler_.random();
  std::uint64_t lost = random.Below(unsynced_.size() + 1);
  if (random.Chance(1, 4)) lost = unsynced_.size();
  for (; lost > 0; --lost) {
    Undo& undo = unsynced_.back();
    for (auto previous = undo.previous.rbegin(); previous != undo.previous.rend(); ++previous) {
      if (previous->second) {
        entries_[previous->first] = std::move(*previous->second);
      } else {
        entries_.erase(previous->first);
      }
    }
    unsynced_.pop_back();
  }
  unsynced_.clear();
}

std::size_t MemoryKvContents::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

std::map<std::string, std::string, std::less<>> MemoryKvContents::Entries() const {
  std::lock_guard lock(mutex_);
  return entries_;
}

CommitSeq MemoryKvContents::applied_seq() const {
  std::lock_guard lock(mutex_);
  return applied_;
}

Task<void> MemoryKv::Delay(Duration mean) {
  const std::uint64_t drawn = scheduler_.random().Exponential(static_cast<std::uint64_t>(mean.count()));
  return scheduler_.SleepFor(Duration(static_cast<std::int64_t>(drawn)));
}

Error MemoryKv::DeadError() const {
  return {ErrorCode::kIo, "store " + contents_.name_ + ": process killed"};
}

Result<void> MemoryKv::CheckReadable() const {
  if (!life_->alive) return DeadError();
  if (contents_.damaged_) return Error(ErrorCode::kCorrupt, "store " + contents_.name_ + ": injected damage");
  return {};
}

Result<std::optional<std::string>> MemoryKv::Get(std::string_view key) {
  TRY(CheckReadable());
  std::lock_guard lock(contents_.mutex_);
  if (contents_.IsCold(key)) return Error(ErrorCode::kWouldBlock, "key is on disk");
  const auto found = contents_.entries_.find(key);
  std::optional<std::string> value;
  if (found != contents_.entries_.end()) value = found->second;
  return value;
}

Task<Result<void>> MemoryKv::Load(std::string key) {
  co_await Delay(contents_.options_.load_delay_mean);
  CO_TRY(CheckReadable());
  std::lock_guard lock(contents_.mutex_);
  contents_.Warm(std::move(key));
  co_return Result<void>();
}

Result<void> MemoryKv::Scan(std::string_view first, std::string_view last, const Visitor& visit) {
  TRY(CheckReadable());
  // In portions, visited without the lock: the visitor may call this store.
  std::string next(first);
  bool inclusive = true;
  std::vector<std::pair<std::string, std::string>> portion;
  do {
    bool is_cold = false;
    portion.clear();
    {
      std::lock_guard lock(contents_.mutex_);
      const auto& entries = contents_.entries_;
      auto entry = inclusive ? entries.lower_bound(next) : entries.upper_bound(next);
      for (; entry != entries.end() && portion.size() < kScanPortion; ++entry) {
        if (!last.empty() && entry->first >= last) break;
        is_cold = contents_.IsCold(entry->first);
        if (is_cold) break;
        portion.emplace_back(entry->first, entry->second);
      }
    }
    for (const auto& [key, value] : portion) {
      if (!visit(key, value)) return {};
    }
    if (is_cold) return Error(ErrorCode::kWouldBlock, "range is on disk");
    if (!portion.empty()) next = portion.back().first;
    inclusive = false;
  } while (portion.size() == kScanPortion);
  return {};
}

Task<Result<void>> MemoryKv::LoadRange(std::string first, std::string last, std::size_t max_entries) {
  co_await Delay(contents_.options_.load_delay_mean);
  CO_TRY(CheckReadable());
  std::lock_guard lock(contents_.mutex_);
  auto entry = contents_.entries_.lower_bound(first);
  for (std::size_t count = 0; entry != contents_.entries_.end() && count < max_entries; ++entry, ++count) {
    if (!last.empty() && entry->first >= last) break;
    contents_.Warm(entry->first);
  }
  co_return Result<void>();
}

/// A copy: a simulated store is small.
class MemoryKv::Snapshot final : public KvSnapshot {
 public:
  explicit Snapshot(MemoryKv& store) : store_(store), entries_(store.contents_.Entries()) {}

  Task<Result<KvPage>> Read(std::string first, std::string last, std::size_t max_entries) override {
    co_await store_.Delay(store_.contents_.options_.load_delay_mean);
    if (!store_.life_->alive) co_return store_.DeadError();
    KvPage page;
    std::size_t bytes = 0;
    max_entries = std::min(max_entries, store_.contents_.options_.snapshot_page_records);
    auto entry = entries_.lower_bound(first);
    const auto is_in_range = [&] { return entry != entries_.end() && (last.empty() || entry->first < last); };
    for (; is_in_range() && page.records.size() < max_entries && bytes < kPageBytesMax; ++entry) {
      page.records.push_back({entry->first, entry->second});
      bytes += entry->first.size() + entry->second.size();
    }
    page.end = !is_in_range();
    co_return page;
  }

 private:
  MemoryKv& store_;
  const std::map<std::string, std::string, std::less<>> entries_;
};

std::unique_ptr<KvSnapshot> MemoryKv::TakeSnapshot() {
  return std::make_unique<Snapshot>(*this);
}

Result<CommitSeq> MemoryKv::Apply(const WriteBatch& batch) {
  if (!life_->alive) return DeadError();
  std::lock_guard lock(contents_.mutex_);
  if (contents_.fail_apply_) return Error(ErrorCode::kIo, "store " + contents_.name_ + ": injected write error");
  MemoryKvContents::Undo undo;
  undo.seq = contents_.applied_.next();
  for (const WriteBatch::Entry& entry : batch.entries()) {
    const auto found = contents_.entries_.find(entry.key);
    std::optional<std::string> previous;
    if (found != contents_.entries_.end()) previous = std::move(found->second);
    undo.previous.emplace_back(entry.key, std::move(previous));
    if (entry.value) {
      contents_.entries_[entry.key] = *entry.value;
    } else if (found != contents_.entries_.end()) {
      contents_.entries_.erase(found);
    }
    contents_.Warm(entry.key);
  }
  contents_.applied_ = undo.seq;
  contents_.unsynced_.push_back(std::move(undo));
  while (contents_.unsynced_.size() > contents_.options_.unsynced_batches_max) contents_.unsynced_.pop_front();
  return contents_.applied_;
}

Task<Result<void>> MemoryKv::WaitApplied(CommitSeq) {
  if (!life_->alive) co_return DeadError();
  co_return Result<void>();
}

Task<Result<CommitSeq>> MemoryKv::Sync() {
  const CommitSeq applied = contents_.applied_seq();
  co_await Delay(contents_.options_.sync_delay_mean);
  if (!life_->alive) co_return DeadError();
  std::lock_guard lock(contents_.mutex_);
  if (contents_.fail_sync_) co_return Error(ErrorCode::kIo, "store " + contents_.name_ + ": injected sync error");
  while (!contents_.unsynced_.empty() && contents_.unsynced_.front().seq <= applied) contents_.unsynced_.pop_front();
  scheduler_.Trace(fmt::format("{} sync {}", contents_.name_, applied.value()));
  co_return applied;
}

}  // namespace gabion
