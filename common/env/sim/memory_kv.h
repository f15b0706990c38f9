#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/env/kv_store.h"
#include "common/env/sim/sim_life.h"
#include "common/env/sim/sim_scheduler.h"

namespace gabion {

struct MemoryKvOptions {
  Duration sync_delay_mean = std::chrono::microseconds(500);
  Duration load_delay_mean = std::chrono::microseconds(100);
  bool cold = false;                           // what was not loaded or written lately is kWouldBlock
  std::size_t warm_keys_max = 100'000;         // then everything is cold again
  std::size_t snapshot_page_records = 1024;    // that a snapshot gives at once
  std::size_t unsynced_batches_max = 100'000;  // then the oldest become durable, as files the engine flushed
};

/// What a simulated store holds, through kills and power losses. Belongs to the machine; a process works on it through
/// MemoryKv.
class MemoryKvContents {
 public:
  MemoryKvContents(SimScheduler& scheduler, std::string name) : scheduler_(scheduler), name_(std::move(name)) {}

  MemoryKvOptions& options() { return options_; }

  /// From now on every Apply (Sync) fails with kIo, or no longer.
  void FailApply(bool fail) { fail_apply_ = fail; }
  void FailSync(bool fail) { fail_sync_ = fail; }
  /// From now on every read fails with kCorrupt, until Erase.
  void SetDamaged(bool damaged) { damaged_ = damaged; }
  bool is_damaged() const { return damaged_; }
  /// Nothing is stored any more, and nothing is wrong.
  void Erase();
  /// Everything is on disk only, as after a start. Matters if options().cold.
  void Cool();

  /// Takes back a tail of what was applied and not synced: all of it, none, or some of the last batches.
  void LosePower();

  std::size_t size() const;
  CommitSeq applied_seq() const;
  /// Everything, as a reader would find it now; for checkers.
  std::map<std::string, std::string, std::less<>> Entries() const;

 private:
  friend class MemoryKv;
  // How to take one batch back.
  struct Undo {
    CommitSeq seq;
    std::vector<std::pair<std::string, std::optional<std::string>>> previous;  // in the order they were overwritten
  };

  bool IsCold(std::string_view key) const { return options_.cold && !warm_.contains(key); }
  void Warm(std::string key);

  SimScheduler& scheduler_;
  const std::string name_;
  MemoryKvOptions options_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> entries_;
  std::set<std::string, std::less<>> warm_;
  std::deque<Undo> unsynced_;
  CommitSeq applied_;
  bool fail_apply_ = false, fail_sync_ = false;
  bool damaged_ = false;
};

/// The KvStore of simulation: a map in memory, in the hands of one life of a process; fails when that has ended.
class MemoryKv final : public KvStore {
 public:
  MemoryKv(SimScheduler& scheduler, MemoryKvContents& contents, std::shared_ptr<SimLife> life)
      : scheduler_(scheduler), contents_(contents), life_(std::move(life)) {}

  Result<std::optional<std::string>> Get(std::string_view key) override;
  Task<Result<void>> Load(std::string key) override;
  Result<void> Scan(std::string_view first, std::string_view last, const Visitor& visit) override;
  Task<Result<void>> LoadRange(std::string first, std::string last, std::size_t max_entries) override;
  std::unique_ptr<KvSnapshot> TakeSnapshot() override;
  Result<CommitSeq> Apply(const WriteBatch& batch) override;
  Task<Result<void>> WaitApplied(CommitSeq seq) override;
  Task<Result<CommitSeq>> Sync() override;

  MemoryKvContents& contents() { return contents_; }

 private:
  class Snapshot;

  Task<void> Delay(Duration mean);
  Error DeadError() const;
  /// Errors: kIo, kCorrupt.
  Result<void> CheckReadable() const;

  SimScheduler& scheduler_;
  MemoryKvContents& contents_;
  std::shared_ptr<SimLife> life_;
};

}  // namespace gabion
