#pragma once

#include <chrono>
#include <string>

#include "cli/command/command.h"

namespace gabion {

/// Where a command that follows something shows how far it is: on a terminal one line that is redrawn, else a line now
/// and then, and nothing where JSON is wanted. Ends its line when it goes.
class ProgressLine {
 public:
  using Seconds = std::chrono::seconds;

  /// How often to look, and to call Show.
  static constexpr Seconds kLookInterval{1};
  /// Of lines that are not redrawn.
  static constexpr Seconds kLineInterval{10};

  /// `context` outlives it.
  explicit ProgressLine(const CommandContext& context) : console_(context.console), is_silent_(context.json) {}
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// `at`: since the following began.
  void Show(Seconds at, const std::string& line);

 private:
  const Console& console_;
  const bool is_silent_;
  bool is_open_ = false;  // the cursor is at the line's end
};

/// Whether the metaserver may answer the next time: it may only have been restarted.
bool MayPass(const Error& error);

}  // namespace gabion
