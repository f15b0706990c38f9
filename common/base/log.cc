#include "common/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>

namespace gabion {
namespace {

constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%e%z %l %v";

std::shared_ptr<spdlog::logger> MakeLogger(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("gabion", std::move(sink));
  logger->set_pattern(kPattern);
  logger->set_level(spdlog::level::trace);  // LogEnabled has already decided
  logger->flush_on(spdlog::level::info);    // a killed process's last lines are the ones that matter
  return logger;
}

std::shared_ptr<spdlog::logger>& Logger() {
  static std::shared_ptr<spdlog::logger> logger = MakeLogger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  return logger;
}

std::atomic<LogLevel> minimum_level = LogLevel::kInfo;

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

Result<void> OpenLog(const std::string& path, LogLevel level) {
  minimum_level = level;
  if (path.empty()) return {};
  try {
    Logger() = MakeLogger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
  } catch (const spdlog::spdlog_ex& error) {
    return {ErrorCode::kInvalidArgument, fmt::format("cannot open the log file {}: {}", path, error.what())};
  }
  return {};
}

Result<LogLevel> ParseLogLevel(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warning") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  return {ErrorCode::kInvalidArgument, fmt::format("no log level '{}'; there are: debug, info, warning, error", text)};
}

bool LogEnabled(LogLevel level) {
  return level >= minimum_level.load(std::memory_order_relaxed);
}

void LogLine(LogLevel level, std::string_view line) {
  Logger()->log(SpdlogLevel(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace gabion
