#include "common/daemon/config_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

namespace gabion {
namespace {

Error ErrorAt(const std::string& path, const toml::source_region& where, std::string_view what) {
  return {ErrorCode::kInvalidArgument, fmt::format("{}, line {}: {}", path, where.begin.line, what)};
}

std::optional<ConfigType> TypeOf(const toml::node& node) {
  if (node.is_string()) return ConfigType::kText;
  if (node.is_integer()) return ConfigType::kNumber;
  if (node.is_boolean()) return ConfigType::kBoolean;
  return std::nullopt;
}

/// `node` is of one of the types of TypeOf.
std::string TextOf(const toml::node& node) {
  if (const toml::value<std::string>* text = node.as_string()) return text->get();
  if (const toml::value<std::int64_t>* number = node.as_integer()) return std::to_string(number->get());
  return node.as_boolean()->get() ? "true" : "false";
}

Result<ConfigSetting> ParseSetting(const std::string& name, const toml::node& node, const std::string& path) {
  ConfigSetting setting;
  setting.name = name;
  setting.line = static_cast<int>(node.source().begin.line);
  std::vector<const toml::node*> nodes;
  if (const toml::array* array = node.as_array()) {
    setting.is_array = true;
    for (const toml::node& element : *array) nodes.push_back(&element);
  } else {
    nodes.push_back(&node);
  }
  for (const toml::node* element : nodes) {
    const std::optional<ConfigType> type = TypeOf(*element);
    if (!type) {
      return ErrorAt(path, element->source(), fmt::format("{} is no string, integer or boolean", name));
    }
    if (!setting.values.empty() && setting.type != *type) {
      return ErrorAt(path, element->source(), fmt::format("the elements of {} have different types", name));
    }
    setting.type = *type;
    setting.values.push_back(TextOf(*element));
  }
  return setting;
}

}  // namespace

Result<std::vector<ConfigSetting>> ParseConfig(std::string_view text, const std::string& path) {
  const toml::parse_result parsed = toml::parse(text, path);
  if (!parsed) return ErrorAt(path, parsed.error().source(), parsed.error().description());
  std::vector<ConfigSetting> settings;
  for (const auto& [key, node] : parsed.table()) {
    TRY_ASSIGN(ConfigSetting setting, ParseSetting(std::string(key.str()), node, path));
    settings.push_back(std::move(setting));
  }
  // The parser sorts by name; the first mistake to report is the first in the file.
  std::stable_sort(settings.begin(), settings.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
  return settings;
}

Result<std::vector<ConfigSetting>> ReadConfigFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  if (file && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (!file && !file.eof()) {
    const int reason = errno;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("cannot read the configuration file {}: {}", path, std::strerror(reason)));
  }
  return ParseConfig(text.str(), path);
}

}  // namespace gabion
