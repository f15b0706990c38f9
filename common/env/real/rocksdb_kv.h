#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/byte_units.h"
#include "common/env/kv_store.h"

namespace gabion {

inline constexpr std::uint64_t kMinCacheBytes = 16 * kMiB;
inline constexpr std::uint64_t kMaxCacheBytes = 1024 * kGiB;

struct RocksKvOptions {
  std::uint64_t block_cache_bytes = 128 * kMiB;  // data, indexes and filters: what Get and Scan answer from
  std::uint64_t write_buffer_bytes = 32 * kMiB;  // of one table in memory; there are up to four
  std::uint64_t wal_bytes_max = 256 * kMiB;      // bounds how long a restart reads
  int open_files_max = 512;
  int background_jobs = 2;    // flushes and compactions at once
  unsigned load_threads = 2;  // reads of what is only on disk
  std::string boot_id{};      // of the machine: damage of the log is noticed while it stays the same; empty: it is not
};

/// The KvStore on RocksDB, in a directory of its own. Apply appends to the log in the kernel's page cache, so that a
/// killed process loses nothing; Sync makes the log stable. A log whose tail a power loss tore is taken up to the tear;
/// one that went bad without a power loss is not (AppliedMark).
///
/// Get, Scan and Apply run on the caller's thread and touch memory only; Load*, Sync and opening use threads of this
/// object. Any number of threads and event loops. An error of Apply or Sync is for ever: later ones return it again,
/// until the directory is opened anew.
class RocksKv final : public KvStore {
 public:
  /// Opens the store in `directory`, which is made if it is not there. Blocks; for program start. Errors: kBusy
  /// (another process has it open), kCorrupt, kIo, kNoSpace.
  static Result<std::unique_ptr<RocksKv>> Open(const std::string& directory, const RocksKvOptions& options);

  /// Waits for its own threads. No call is pending.
  ~RocksKv() override;

  Result<std::optional<std::string>> Get(std::string_view key) override;
  Task<Result<void>> Load(std::string key) override;
  Result<void> Scan(std::string_view first, std::string_view last, const Visitor& visit) override;
  Task<Result<void>> LoadRange(std::string first, std::string last, std::size_t max_entries) override;
  std::unique_ptr<KvSnapshot> TakeSnapshot() override;
  Result<CommitSeq> Apply(const WriteBatch& batch) override;
  Task<Result<void>> WaitApplied(CommitSeq seq) override;
  Task<Result<CommitSeq>> Sync() override;

 private:
  class Impl;
  class Snapshot;
  explicit RocksKv(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gabion
