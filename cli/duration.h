#pragma once

#include <chrono>
#include <string_view>

#include "common/base/result.h"

namespace gabion {

/// "90s", "30m", "2h", "1d": a whole number and its unit. Errors: kInvalidArgument, with what is taken.
Result<std::chrono::seconds> ParseDuration(std::string_view text);

}  // namespace gabion
