#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/coro/task.h"

namespace gabion {

/// Puts and deletes that take effect together.
class WriteBatch {
 public:
  struct Entry {
    std::string key;
    std::optional<std::string> value;  // none: delete
  };

  void Put(std::string key, std::string value) { entries_.push_back({std::move(key), std::move(value)}); }
  void Delete(std::string key) { entries_.push_back({std::move(key), std::nullopt}); }
  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }
  void Append(WriteBatch other);

 private:
  std::vector<Entry> entries_;
};

/// Some records in key order.
struct KvPage {
  struct Record {
    std::string key;
    std::string value;
  };
  std::vector<Record> records;
  bool end = false;  // the range has no more
};

/// The store as it was at one moment, whatever is applied afterwards: for walks over much of it. While it lives the
/// store keeps on disk what has been overwritten since; it ends before the store does. Any thread.
class KvSnapshot {
 public:
  /// A page ends when it has so many bytes, whatever was asked for.
  static constexpr std::size_t kPageBytesMax = 1 << 20;

  virtual ~KvSnapshot() = default;
  /// The first records of [first, last), at most `max_entries`, perhaps fewer, at least one if there are any; an empty
  /// `last` means no end. Waits for the disk, and leaves in memory what others loaded. Errors: kCorrupt, kIo.
  virtual Task<Result<KvPage>> Read(std::string first, std::string last, std::size_t max_entries) = 0;
};

/// An ordered map of byte strings with atomic batches (DESIGN 4.1). Keys compare as unsigned bytes. Any thread.
///
/// Reads answer from memory; what is only on disk is kWouldBlock, upon which the caller awaits Load* and asks again. So
/// a decision reads everything it needs without suspending, and no event loop waits for a disk.
class KvStore {
 public:
  virtual ~KvStore() = default;

  /// Nothing if the key is absent. Errors: kWouldBlock (await Load), kCorrupt, kIo.
  virtual Result<std::optional<std::string>> Get(std::string_view key) = 0;
  /// Brings the key's data into memory, where it stays for a while.
  virtual Task<Result<void>> Load(std::string key) = 0;

  /// Calls `visit(key, value)` in key order for keys in [first, last) until it returns false or the range ends; an
  /// empty `last` means no end. The views die with the call. Errors: kWouldBlock (some may have been visited).
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;
  virtual Result<void> Scan(std::string_view first, std::string_view last, const Visitor& visit) = 0;
  /// Brings up to `max_entries` of the range into memory.
  virtual Task<Result<void>> LoadRange(std::string first, std::string last, std::size_t max_entries) = 0;

  /// Has exactly the batches applied before the call.
  virtual std::unique_ptr<KvSnapshot> TakeSnapshot() = 0;

  /// Makes the batch visible to every later read, at once; `seq` orders it. Errors: kIo, kNoSpace: nothing was applied,
  /// and the store takes no more writes.
  virtual Result<CommitSeq> Apply(const WriteBatch& batch) = 0;
  /// Returns when batches up to `seq` survive the death of this process. Embedded engines are there already.
  virtual Task<Result<void>> WaitApplied(CommitSeq seq) = 0;
  /// Returns when everything applied before the call survives power loss; the durable sequence. Concurrent calls share
  /// one flush. Errors: kIo.
  virtual Task<Result<CommitSeq>> Sync() = 0;
};

/// The end of the range of keys that begin with `prefix`, for Scan.
std::string PrefixEnd(std::string_view prefix);

}  // namespace gabion
