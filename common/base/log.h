#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"

namespace gabion {

/// One process-wide log (spdlog behind it, which only log.cc includes: its headers cost seconds per file). Any thread.
/// Until OpenLog it writes to standard error from kInfo up.
enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Logs to `path`, or to standard error if it is empty. Errors: INVALID_ARGUMENT if the file cannot be opened.
Result<void> OpenLog(const std::string& path, LogLevel level);

/// "debug", "info", "warning", "error". Errors: INVALID_ARGUMENT, with the words that are right.
Result<LogLevel> ParseLogLevel(std::string_view text);

bool LogEnabled(LogLevel level);
void LogLine(LogLevel level, std::string_view line);

template <typename... Args>
void Log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (LogEnabled(level)) LogLine(level, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kDebug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kInfo, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogWarning(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kWarning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kError, format, std::forward<Args>(args)...);
}

}  // namespace gabion
