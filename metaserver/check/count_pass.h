#pragma once

#include <vector>

#include "metaserver/check/check_log.h"
#include "metaserver/check/inode_counts.h"
#include "metaserver/check/table_cursor.h"
#include "metaserver/store/key_codec.h"

namespace gabion {

/// Compares what each inode says that it has (entries, subdirectories, chunk and xattr records), and the volume's
/// statistics, with the tables. These are sorted by inode number, so one walk beside each other finds all, in the
/// memory of one page of each.
class CountPass {
 public:
  /// What it saw, for the passes that follow.
  struct Totals {
    std::uint64_t inodes = 0;
    std::uint64_t names = 0;
  };

  /// `snapshot` and `log` outlive it.
  CountPass(KvSnapshot& snapshot, VolumeId volume, CheckLog& log);

  /// Errors: the snapshot's; kCorrupt, kVersionMismatch of a record; kCancelled.
  Task<Result<Totals>> Run();

 private:
  struct Source {
    Table table;
    TableCursor cursor;
    Ino ino;  // of the record that comes next
  };

  Task<Result<void>> LoadStats();
  Result<void> FindOwner(Source& source);
  /// The source whose next record belongs to the lowest inode; null when all are at their ends.
  Source* FindFirst();
  Result<void> Take(Source& source);
  void FinishInode();

  KvSnapshot& snapshot_;
  const VolumeId volume_;
  CheckLog& log_;
  std::vector<Source> sources_;
  Ino ino_;  // that `facts_` are of
  InodeFacts facts_;
  records::VolumeStats recorded_, found_;
  Totals totals_;
};

}  // namespace gabion
