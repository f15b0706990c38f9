#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/env/real/unique_fd.h"

namespace gabion {

/// Remembers, beside a key-value store, up to where it was applied: a store that has less after its process ended has
/// lost some of its log to a bad disk, which its own recovery takes for the end of the log
/// (docs/formats/applied_mark.md). The mark is in the page cache only: it outlives the process, and says nothing after
/// the machine was restarted. Any thread.
class AppliedMark {
 public:
  /// Opens the file, or makes it. Blocks; for program start. Errors: kIo, kNoSpace.
  static Result<std::unique_ptr<AppliedMark>> Open(const std::string& path, const std::string& boot_id);

  /// What an earlier process had applied since the machine was started; nothing if there was none.
  std::optional<CommitSeq> before() const { return before_; }

  /// Never lowers it. A disk that refuses the write only makes the mark say less.
  void Raise(CommitSeq applied);

 private:
  AppliedMark(UniqueFd file, std::optional<CommitSeq> before) : file_(std::move(file)), before_(before) {}

  const UniqueFd file_;
  const std::optional<CommitSeq> before_;
  std::mutex mutex_;
  CommitSeq applied_;
};

}  // namespace gabion
