#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/env/transport.h"

namespace gabion {

inline constexpr std::uint16_t kDefaultMetaServerPort = 9470;
inline constexpr const char* kDefaultConfigPath = "/etc/gabion/gabion.toml";
inline constexpr const char* kMetaServerVariable = "GABION_METASERVER";

/// Looks an environment variable up; nothing if it is unset.
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;

/// Where the metaserver's address may come from, the first that is set wins: the option, GABION_METASERVER, the
/// configuration file's `metaserver`, this machine's default port.
struct AddressSources {
  std::string option;       // --metaserver; empty: not given
  std::string config_path;  // --config; empty: kDefaultConfigPath, which need not exist
  EnvironmentLookup environment;
};

struct MetaServerAddress {
  std::vector<Endpoint> endpoints;  // not empty
  std::string text;                 // as the user would write it
};

/// Errors: kInvalidArgument: an address or the file does not parse, or a file given with --config cannot be read.
Result<MetaServerAddress> FindMetaServer(const AddressSources& sources);

/// "HOST[:PORT][,HOST[:PORT]...]". Errors: kInvalidArgument.
Result<std::vector<Endpoint>> ParseMetaServers(std::string_view text);

/// The value of `metaserver` in a configuration file's text; empty if it is not set. `path` is for messages.
/// Errors: kInvalidArgument: not TOML (with the line), or `metaserver` is no string.
Result<std::string> MetaServerOfConfig(std::string_view text, const std::string& path);

}  // namespace gabion
