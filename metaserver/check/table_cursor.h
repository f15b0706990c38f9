#pragma once

#include <memory>
#include <string>

#include "common/env/kv_store.h"

namespace gabion {

/// Walks the records of a snapshot whose keys begin with a prefix, in order, a page of them in memory. One user. What
/// is done with a record suspends nothing: only the turn of a page does.
///
///     while (true) {
///       if (cursor.needs_page()) { Result<void> read = co_await cursor.ReadPage(); CO_TRY(read); }
///       if (cursor.at_end()) break;
///       Use(cursor.record());
///       cursor.Advance();
///     }
class TableCursor {
 public:
  static constexpr std::size_t kPageRecords = 1024;

  /// `snapshot` outlives it.
  TableCursor(KvSnapshot& snapshot, std::string prefix);

  /// Whether ReadPage has to come before what follows.
  bool needs_page() const { return next_ == page_.records.size() && !page_.end; }
  /// Errors: those of KvSnapshot::Read.
  Task<Result<void>> ReadPage();

  bool at_end() const { return next_ == page_.records.size() && page_.end; }
  /// Not at the end.
  const KvPage::Record& record() const { return page_.records[next_]; }
  void Advance() { ++next_; }

 private:
  KvSnapshot& snapshot_;
  std::string first_;
  const std::string last_;
  KvPage page_;
  std::size_t next_ = 0;
};

}  // namespace gabion
