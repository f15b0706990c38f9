#pragma once

#include <memory>
#include <string>

#include "common/env/real/unique_fd.h"

namespace gabion {

/// The way to whoever started the program: says once whether it worked. In the foreground that is standard error; in
/// the background, the parent process, which has been waiting to exit with the right status.
class StartReport {
 public:
  static StartReport Foreground() { return StartReport(UniqueFd()); }
  /// Forks; must come before any thread. Returns in the child only: the parent waits for the child's report, prints it
  /// if it is a failure, and exits with `failure_status` or 0.
  static StartReport Fork(int failure_status);

  /// The program is up. In the background it lets go of the terminal, the working directory and the standard streams.
  void Ready();
  /// The program is about to end because of `line`.
  void Failed(const std::string& line);

 private:
  explicit StartReport(UniqueFd parent) : parent_(std::move(parent)) {}

  UniqueFd parent_;  // none in the foreground
};

}  // namespace gabion
