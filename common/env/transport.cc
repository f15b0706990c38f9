#include "common/env/transport.h"

#include <fmt/format.h>

#include <charconv>

namespace gabion {
namespace {

Error BadEndpoint(std::string_view text, std::string_view why) {
  return {ErrorCode::kInvalidArgument, fmt::format("'{}' is no HOST:PORT: {}", text, why)};
}

Result<std::uint16_t> ParsePort(std::string_view endpoint, std::string_view text) {
  std::uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return BadEndpoint(endpoint, fmt::format("'{}' is no port (0 to 65535)", text));
  }
  return port;
}

}  // namespace

std::string Endpoint::ToString() const {
  bool v6 = host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<Endpoint> Endpoint::Parse(std::string_view text, std::uint16_t default_port) {
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    std::size_t close = text.find(']');
    if (close == std::string_view::npos) return BadEndpoint(text, "']' is missing");
    host = text.substr(1, close - 1);
    std::string_view rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return BadEndpoint(text, "after ']' comes :PORT");
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else if (std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
    if (port.find(':') != std::string_view::npos) return BadEndpoint(text, "an IPv6 address is written [ADDRESS]:PORT");
  }
  if (host.empty()) return BadEndpoint(text, "the host is missing");
  for (char c : host) {
    bool printable = static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
    if (!printable || c == '/' || c == '[' || c == ']' || c == ',') {
      return BadEndpoint(text, "that is no name of a host");
    }
  }
  Endpoint endpoint{std::string(host), default_port};
  if (has_port) {
    TRY_ASSIGN(endpoint.port, ParsePort(text, port));
  } else if (default_port == 0) {
    return BadEndpoint(text, "the port is missing");
  }
  return endpoint;
}

}  // namespace gabion
