#include "common/daemon/daemon_options.h"

#include <fmt/format.h>

#include <asio/ip/address.hpp>
#include <optional>

namespace gabion {
namespace {

constexpr std::uint64_t kMaxLoops = 1024;
constexpr std::uint64_t kMaxSpinUs = 10'000;

/// Nothing for a name.
std::optional<asio::ip::address> AddressOf(const std::string& host) {
  asio::error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  return error ? std::nullopt : std::optional(address);
}

bool IsLoopback(const std::string& host) {
  if (host == "localhost") return true;
  const std::optional<asio::ip::address> address = AddressOf(host);
  return address && address->is_loopback();
}

}  // namespace

void AddDaemonOptions(OptionSet& set, DaemonOptions* options) {
  const std::uint16_t default_port = options->listen.port;
  set.AddText("listen", "HOST:PORT",
              fmt::format("Address to listen on; port 0 takes a free one (default {})", options->listen.ToString()),
              [options, default_port](std::string_view text) -> Result<void> {
                TRY_ASSIGN(options->listen, Endpoint::Parse(text, default_port));
                return {};
              });
  set.AddSwitch("allow-insecure-network", "Listen on more than loopback although nobody is asked who they are",
                &options->allow_insecure_network);
  set.AddText("log-file", "FILE", "Append the log to FILE (default: standard error)", &options->log_file);
  set.AddText("log-level", "LEVEL", "debug, info, warning or error (default info)",
              [options](std::string_view text) -> Result<void> {
                TRY_ASSIGN(options->log_level, ParseLogLevel(text));
                return {};
              });
  set.AddNumber("loops", "Event loops, each on a CPU of its own; 0: one a CPU (default)", 0, kMaxLoops,
                &options->loops);
  set.AddNumber("spin-us", "Microseconds that a loop which had work lately looks for more before it sleeps (default 0)",
                0, kMaxSpinUs, &options->spin_us);
}

Result<void> CheckListenAddress(const DaemonOptions& options) {
  if (options.allow_insecure_network || IsLoopback(options.listen.host)) return {};
  return {ErrorCode::kInvalidArgument,
          fmt::format("will not listen on {}: whoever reaches that address could read and change everything. Listen on "
                      "127.0.0.1, or, in a network that you trust, add --allow-insecure-network",
                      options.listen.ToString())};
}

bool IsWildcardAddress(const std::string& host) {
  const std::optional<asio::ip::address> address = AddressOf(host);
  return address && address->is_unspecified();
}

}  // namespace gabion
