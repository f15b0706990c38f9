#include "cli/command/progress_line.h"

#include <ostream>

namespace gabion {

void ProgressLine::Show(Seconds at, const std::string& line) {
  if (is_silent_) return;
  if (console_.out_is_terminal) {
    console_.out << "\r" << line << "\x1B[K" << std::flush;
    is_open_ = true;
  } else if (at.count() % kLineInterval.count() == 0) {
    console_.out << line << "\n" << std::flush;
  }
}

ProgressLine::~ProgressLine() {
  if (is_open_) console_.out << "\n" << std::flush;
}

bool MayPass(const Error& error) {
  return error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kConnectionLost ||
         error.code() == ErrorCode::kDeadlineExceeded;
}

}  // namespace gabion
