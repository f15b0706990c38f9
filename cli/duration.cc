#include "cli/duration.h"

#include <fmt/core.h>

#include <charconv>
#include <cstdint>

namespace gabion {
namespace {

/// 0: no such unit.
std::uint32_t SecondsOf(std::string_view unit) {
  if (unit == "s") return 1;
  if (unit == "m" || unit == "min") return 60;
  if (unit == "h") return 3600;
  if (unit == "d") return 86'400;
  return 0;
}

}  // namespace

Result<std::chrono::seconds> ParseDuration(std::string_view text) {
  std::uint32_t count = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::uint32_t unit_s = SecondsOf(text.substr(static_cast<std::size_t>(end - text.data())));
  if (failed != std::errc() || unit_s == 0) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("'{}' is no duration: give a number and s, m, h or d, as in 90s, 30m, 2h or 1d", text));
  }
  return std::chrono::seconds(std::int64_t{count} * unit_s);
}

}  // namespace gabion
