#include "cli/settings.h"

#include <toml++/toml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace gabion {
namespace {

/// Nothing if there is no such file and it need not exist.
Result<std::optional<std::string>> ReadConfig(const std::string& path, bool required) {
  std::ifstream file(path);
  if (!file) {
    const int reason = errno;
    if (reason == ENOENT && !required) return std::optional<std::string>();
    return Error(ErrorCode::kInvalidArgument,
                 "cannot read the configuration file " + path + ": " + std::strerror(reason));
  }
  std::stringstream text;
  text << file.rdbuf();
  return std::optional<std::string>(text.str());
}

Result<MetaServerAddress> Parsed(const std::string& text, const std::string& source) {
  Result<std::vector<Endpoint>> endpoints = ParseMetaServers(text);
  if (!endpoints) return endpoints.error().WithContext(source);
  return MetaServerAddress{std::move(*endpoints), text};
}

}  // namespace

Result<std::vector<Endpoint>> ParseMetaServers(std::string_view text) {
  std::vector<Endpoint> endpoints;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    TRY_ASSIGN(Endpoint endpoint, Endpoint::Parse(text.substr(begin, end - begin), kDefaultMetaServerPort));
    endpoints.push_back(std::move(endpoint));
    begin = end + 1;
  }
  return endpoints;
}

Result<std::string> MetaServerOfConfig(std::string_view text, const std::string& path) {
  const toml::parse_result parsed = toml::parse(text, path);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return Error(ErrorCode::kInvalidArgument, path + ", line " + std::to_string(error.source().begin.line) + ": " +
                                                  std::string(error.description()));
  }
  const auto node = parsed.table()["metaserver"];
  if (!node) return std::string();
  const std::optional<std::string> value = node.value_exact<std::string>();
  if (!value) {
    return Error(ErrorCode::kInvalidArgument, path + ": metaserver is no string; write metaserver = \"HOST:PORT\"");
  }
  return *value;
}

Result<MetaServerAddress> FindMetaServer(const AddressSources& sources) {
  if (!sources.option.empty()) return Parsed(sources.option, "--metaserver");
  if (const std::optional<std::string> value = sources.environment(kMetaServerVariable); value && !value->empty()) {
    return Parsed(*value, kMetaServerVariable);
  }
  const bool required = !sources.config_path.empty();
  const std::string path = required ? sources.config_path : kDefaultConfigPath;
  TRY_ASSIGN(const std::optional<std::string> config, ReadConfig(path, required));
  if (config) {
    TRY_ASSIGN(const std::string value, MetaServerOfConfig(*config, path));
    if (!value.empty()) return Parsed(value, path);
  }
  const Endpoint local{"127.0.0.1", kDefaultMetaServerPort};
  return MetaServerAddress{{local}, local.ToString()};
}

}  // namespace gabion
