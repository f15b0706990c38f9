#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace gabion {

enum class ConfigType { kText, kNumber, kBoolean };

/// One `name = value` of a configuration file; an array has several values of one type.
struct ConfigSetting {
  std::string name;
  ConfigType type = ConfigType::kText;
  bool is_array = false;
  std::vector<std::string> values;  // numbers in decimal, booleans as "true" and "false"
  int line = 0;
};

/// The settings of a TOML text in which every value is a string, an integer, a boolean, or an array of one of these.
/// `path` is for messages. Errors: kInvalidArgument, with file and line. Pure.
Result<std::vector<ConfigSetting>> ParseConfig(std::string_view text, const std::string& path);

/// Reads and parses the file. Errors: kInvalidArgument, also if it cannot be read.
Result<std::vector<ConfigSetting>> ReadConfigFile(const std::string& path);

}  // namespace gabion
