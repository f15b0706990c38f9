#include "common/env/real/rocksdb_kv.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>
#include <bit>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/coro/resumer.h"
#include "common/env/real/applied_mark.h"

namespace gabion {
namespace {

rocksdb::Slice ToRocks(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view FromRocks(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

Error ToError(const rocksdb::Status& status, const std::string& what) {
  ErrorCode code = ErrorCode::kIo;
  if (status.IsIncomplete()) code = ErrorCode::kWouldBlock;
  if (status.IsCorruption()) code = ErrorCode::kCorrupt;
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kNoSpace) code = ErrorCode::kNoSpace;
  return {code, what + ": " + status.ToString()};
}

rocksdb::CompressionType BestCompression() {
  const std::vector<rocksdb::CompressionType> supported = rocksdb::GetSupportedCompressions();
  const bool has_lz4 = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  return has_lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
}

// RocksDB reports what fails behind the callers' backs here; the next Apply fails with it.
class BackgroundErrorLog final : public rocksdb::EventListener {
 public:
  explicit BackgroundErrorLog(std::string directory) : directory_(std::move(directory)) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    LogError("store {}: {}; it takes no more writes until the process is restarted", directory_, status->ToString());
  }

 private:
  const std::string directory_;
};

std::shared_ptr<rocksdb::Cache> BlockCache(std::uint64_t bytes) {
  // The cache is cut into parts that lock by themselves. An entry that is larger than its part is dropped as soon as it
  // was loaded, and Get would say kWouldBlock for ever: so few parts, each with room for several values of 1 MiB.
  constexpr std::uint64_t kPartBytes = 8 * kMiB;
  const std::uint64_t parts = std::clamp<std::uint64_t>(bytes / kPartBytes, 1, 64);
  return rocksdb::NewLRUCache(std::max(bytes, kPartBytes), static_cast<int>(std::bit_width(parts)) - 1);
}

rocksdb::BlockBasedTableOptions TableOptions(const RocksKvOptions& options) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = BlockCache(options.block_cache_bytes);
  table.block_size = 8 * kKiB;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));  // 1 % of absent keys cost a block
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  // In the cache, so that memory stays within its size however large the store.
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  return table;
}

rocksdb::Options DbOptions(const std::string& directory, const RocksKvOptions& options) {
  rocksdb::Options db;
  db.create_if_missing = true;
  db.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions(options)));
  db.compression = BestCompression();
  db.level_compaction_dynamic_level_bytes = true;
  db.max_open_files = options.open_files_max;
  db.max_background_jobs = options.background_jobs;
  db.bytes_per_sync = kMiB;
  db.skip_stats_update_on_db_open = true;

  db.write_buffer_size = options.write_buffer_bytes;
  db.max_write_buffer_number = 4;
  db.max_total_wal_size = options.wal_bytes_max;
  // After a power loss pages of the log that were not synced may be missing in front of some that made it.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // Apply runs on event loops: rather more files to look through than a writer made to sleep.
  db.level0_slowdown_writes_trigger = 40;
  db.level0_stop_writes_trigger = 60;

  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.max_log_file_size = 4 * kMiB;
  db.keep_log_file_num = 4;
  db.stats_dump_period_sec = 0;
  db.listeners.push_back(std::make_shared<BackgroundErrorLog>(directory));
  return db;
}

CommitSeq SeqOf(const rocksdb::DB& db) {
  return CommitSeq(db.GetLatestSequenceNumber());
}

/// Why a store does not open.
Error OpenError(const rocksdb::Status& status, const std::string& directory) {
  const std::string text = status.ToString();
  // There is no code for it; both texts are RocksDB's since its first release.
  const bool locked = status.IsIOError() &&
                      (text.find("lock file") != std::string::npos || text.find("lock hold") != std::string::npos);
  if (locked) return {ErrorCode::kBusy, "store " + directory + " is in use by another process (" + text + ")"};
  const Error error = ToError(status, "opening store " + directory);
  // A name or number that has changed leads to files that are not there, or to settings that nobody made.
  const bool is_damage = !status.IsIOError() || status.IsPathNotFound();
  if (error.code() == ErrorCode::kIo && is_damage) return {ErrorCode::kCorrupt, error.message()};
  return error;
}

Result<std::unique_ptr<AppliedMark>> OpenMark(const std::string& directory, const std::string& boot_id,
                                              const rocksdb::DB& db) {
  if (boot_id.empty()) return std::unique_ptr<AppliedMark>();
  TRY_ASSIGN(std::unique_ptr<AppliedMark> mark, AppliedMark::Open(directory + "/applied", boot_id));
  if (mark->before() > SeqOf(db)) {
    return Error(ErrorCode::kCorrupt, "store " + directory +
                                          " lacks changes that were made before this program's last end: its log has "
                                          "gone bad on the disk");
  }
  return mark;
}

}  // namespace

class RocksKv::Impl {
 public:
  Impl(std::string directory, std::unique_ptr<rocksdb::DB> db, std::unique_ptr<AppliedMark> mark, unsigned load_threads)
      : directory_(std::move(directory)),
        db_(std::move(db)),
        mark_(std::move(mark)),
        load_pool_(load_threads),
        sync_pool_(1) {}

  ~Impl() {
    load_pool_.join();
    sync_pool_.join();
  }

  Error ErrorOf(const rocksdb::Status& status) const { return ToError(status, "store " + directory_); }
  rocksdb::DB& db() { return *db_; }

  CommitSeq LatestSeq() const { return SeqOf(*db_); }

  /// There is a new batch.
  CommitSeq Applied() {
    const CommitSeq seq = LatestSeq();
    if (mark_) mark_->Raise(seq);
    return seq;
  }

  std::optional<Error> failure() {
    std::lock_guard lock(mutex_);
    return failure_;
  }
  Error Fail(const rocksdb::Status& status) {
    std::lock_guard lock(mutex_);
    if (!failure_) failure_ = ErrorOf(status);
    return *failure_;
  }

  Result<void> ScanWith(const rocksdb::ReadOptions& base, std::string_view first, std::string_view last,
                        const Visitor& visit) {
    rocksdb::ReadOptions options = base;
    const rocksdb::Slice upper = ToRocks(last);
    if (!last.empty()) options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> entry(db_->NewIterator(options));
    for (entry->Seek(ToRocks(first)); entry->Valid(); entry->Next()) {
      if (!visit(FromRocks(entry->key()), FromRocks(entry->value()))) return {};
    }
    if (!entry->status().ok()) return ErrorOf(entry->status());
    return {};
  }

  /// Runs `work` on a thread that may wait for the disk.
  Task<Result<void>> RunOnLoadPool(std::function<Result<void>()> work) {
    Result<void> result;
    auto start = [this, &work, &result](std::function<void()> resume) {
      asio::post(load_pool_, [&work, &result, resume = std::move(resume)] {
        result = work();
        resume();  // the coroutine, with all that is referred to here, may be gone after this
      });
    };
    co_await SuspendUntilResumed(start);
    co_return std::move(result);
  }

  /// Joins the callers that wait for the next flush of the log; whoever finds none under way starts it.
  Task<Result<CommitSeq>> JoinSync() {
    std::optional<Result<CommitSeq>> result;
    auto start = [this, &result](std::function<void()> resume) {
      std::lock_guard lock(mutex_);
      sync_waiters_.push_back({&result, std::move(resume)});
      if (sync_running_) return;
      sync_running_ = true;
      asio::post(sync_pool_, [this] { FlushForWaiters(); });
    };
    co_await SuspendUntilResumed(start);
    co_return std::move(*result);
  }

 private:
  struct SyncWaiter {
    std::optional<Result<CommitSeq>>* result;
    std::function<void()> resume;
  };

  void FlushForWaiters() {
    while (true) {
      std::vector<SyncWaiter> waiters;
      {
        std::lock_guard lock(mutex_);
        waiters.swap(sync_waiters_);
        if (waiters.empty()) {
          sync_running_ = false;
          return;
        }
      }
      const Result<CommitSeq> result = FlushLog();
      for (SyncWaiter& waiter : waiters) {
        waiter.result->emplace(result);
        waiter.resume();
      }
    }
  }

  Result<CommitSeq> FlushLog() {
    if (std::optional<Error> failed = failure()) return *failed;
    const CommitSeq seq = LatestSeq();
    const rocksdb::Status status = db_->SyncWAL();
    // What a failed fsync lost, a second one would not bring back, though it may well report success.
    if (!status.ok()) return Fail(status);
    return seq;
  }

  const std::string directory_;
  std::unique_ptr<rocksdb::DB> db_;
  std::unique_ptr<AppliedMark> mark_;  // may be null
  std::mutex mutex_;
  std::optional<Error> failure_;
  std::vector<SyncWaiter> sync_waiters_;
  bool sync_running_ = false;
  asio::thread_pool load_pool_;
  asio::thread_pool sync_pool_;
};

namespace {

rocksdb::ReadOptions MemoryOnly() {
  rocksdb::ReadOptions options;
  options.read_tier = rocksdb::kBlockCacheTier;
  return options;
}

/// Adds a record to the page; whether there is room for another one.
bool AddRecord(std::string_view key, std::string_view value, std::size_t max_entries, std::size_t& bytes,
               KvPage& page) {
  page.records.push_back({std::string(key), std::string(value)});
  bytes += key.size() + value.size();
  return page.records.size() < max_entries && bytes < KvSnapshot::kPageBytesMax;
}

}  // namespace

class RocksKv::Snapshot final : public KvSnapshot {
 public:
  explicit Snapshot(Impl& impl) : impl_(impl), snapshot_(impl.db().GetSnapshot()) {}
  ~Snapshot() override { impl_.db().ReleaseSnapshot(snapshot_); }

  Task<Result<KvPage>> Read(std::string first, std::string last, std::size_t max_entries) override {
    KvPage page;
    std::function<Result<void>()> work = [&]() -> Result<void> {
      rocksdb::ReadOptions options;
      options.snapshot = snapshot_;
      options.fill_cache = false;
      std::size_t bytes = 0;
      bool full = false;
      Result<void> scanned = impl_.ScanWith(options, first, last, [&](std::string_view key, std::string_view value) {
        full = !AddRecord(key, value, max_entries, bytes, page);
        return !full;
      });
      page.end = !full;
      return scanned;
    };
    Result<void> read = co_await impl_.RunOnLoadPool(std::move(work));
    if (!read) co_return read.error();
    co_return std::move(page);
  }

 private:
  Impl& impl_;
  const rocksdb::Snapshot* snapshot_;
};

RocksKv::RocksKv(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RocksKv::~RocksKv() = default;

Result<std::unique_ptr<RocksKv>> RocksKv::Open(const std::string& directory, const RocksKvOptions& options) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) return Error(ErrorCode::kIo, "making directory " + directory + ": " + failed.message());
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(DbOptions(directory, options), directory, &opened);
  if (!status.ok()) return OpenError(status, directory);
  std::unique_ptr<rocksdb::DB> db(opened);
  TRY_ASSIGN(std::unique_ptr<AppliedMark> mark, OpenMark(directory, options.boot_id, *db));
  auto impl = std::make_unique<Impl>(directory, std::move(db), std::move(mark), options.load_threads);
  return std::unique_ptr<RocksKv>(new RocksKv(std::move(impl)));
}

Result<std::optional<std::string>> RocksKv::Get(std::string_view key) {
  static const rocksdb::ReadOptions options = MemoryOnly();
  std::string value;
  const rocksdb::Status status = impl_->db().Get(options, ToRocks(key), &value);
  if (status.ok()) return std::optional(std::move(value));
  if (status.IsNotFound()) return std::optional<std::string>();
  return impl_->ErrorOf(status);
}

Task<Result<void>> RocksKv::Load(std::string key) {
  std::function<Result<void>()> work = [this, &key]() -> Result<void> {
    std::string value;
    const rocksdb::Status status = impl_->db().Get(rocksdb::ReadOptions(), ToRocks(key), &value);
    if (!status.ok() && !status.IsNotFound()) return impl_->ErrorOf(status);
    return {};
  };
  Result<void> result = co_await impl_->RunOnLoadPool(std::move(work));
  co_return std::move(result);
}

Result<void> RocksKv::Scan(std::string_view first, std::string_view last, const Visitor& visit) {
  static const rocksdb::ReadOptions options = MemoryOnly();
  return impl_->ScanWith(options, first, last, visit);
}

Task<Result<void>> RocksKv::LoadRange(std::string first, std::string last, std::size_t max_entries) {
  std::function<Result<void>()> work = [this, &first, &last, max_entries] {
    std::size_t left = max_entries;
    return impl_->ScanWith(rocksdb::ReadOptions(), first, last,
                           [&left](std::string_view, std::string_view) { return left-- > 1; });
  };
  Result<void> result = co_await impl_->RunOnLoadPool(std::move(work));
  co_return std::move(result);
}

std::unique_ptr<KvSnapshot> RocksKv::TakeSnapshot() {
  return std::make_unique<Snapshot>(*impl_);
}

Result<CommitSeq> RocksKv::Apply(const WriteBatch& batch) {
  if (std::optional<Error> failed = impl_->failure()) return *failed;
  rocksdb::WriteBatch entries;
  for (const WriteBatch::Entry& entry : batch.entries()) {
    const rocksdb::Status status =
        entry.value ? entries.Put(ToRocks(entry.key), ToRocks(*entry.value)) : entries.Delete(ToRocks(entry.key));
    if (!status.ok()) return impl_->Fail(status);
  }
  const rocksdb::Status status = impl_->db().Write(rocksdb::WriteOptions(), &entries);
  if (!status.ok()) return impl_->Fail(status);
  return impl_->Applied();
}

Task<Result<void>> RocksKv::WaitApplied(CommitSeq) {
  co_return Result<void>();
}

Task<Result<CommitSeq>> RocksKv::Sync() {
  return impl_->JoinSync();
}

}  // namespace gabion
