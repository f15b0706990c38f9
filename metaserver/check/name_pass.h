#pragma once

#include "metaserver/check/check_log.h"
#include "metaserver/check/count_pass.h"
#include "metaserver/check/name_window.h"
#include "metaserver/check/table_cursor.h"

namespace gabion {

/// Compares inodes with the names that lead to them: window by window of the inodes, all names for each.
class NamePass {
 public:
  /// `totals`: what there is, for the progress. `window_inodes`: of one window. `snapshot` and `log` outlive it.
  NamePass(KvSnapshot& snapshot, VolumeId volume, CountPass::Totals totals, std::size_t window_inodes, CheckLog& log);

  /// Errors: as CountPass::Run.
  Task<Result<void>> Run();

 private:
  /// Reads inodes into the window until it is full, or there are no more.
  Task<Result<void>> FillWindow(NameWindow& window);
  Task<Result<void>> CountNames(NameWindow& window);

  KvSnapshot& snapshot_;
  const VolumeId volume_;
  const CountPass::Totals totals_;
  const std::size_t window_inodes_;
  CheckLog& log_;
  TableCursor inodes_;
  TableCursor orphans_;
  Ino last_;  // that was read
};

}  // namespace gabion
