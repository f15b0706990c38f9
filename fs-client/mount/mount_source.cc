#include "fs-client/mount/mount_source.h"

namespace gabion {
namespace {

Error Malformed(std::string_view text, std::string_view problem) {
  return {ErrorCode::kInvalidArgument, "'" + std::string(text) + "' is no volume: " + std::string(problem) +
                                           "; it looks like HOST:PORT:/VOLUME or HOST:PORT,HOST:PORT:/VOLUME/SUBDIR"};
}

/// Cuts off the text up to `separator`; all of it if there is none.
std::string_view TakeUpTo(std::string_view& text, char separator) {
  std::size_t at = text.find(separator);
  std::string_view part = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return part;
}

}  // namespace

std::string MountSource::ToString() const {
  std::string text;
  for (const Endpoint& metaserver : metaservers) {
    if (!text.empty()) text += ",";
    text += metaserver.ToString();
  }
  text += ":/" + volume;
  if (!subdir.empty()) text += "/" + subdir;
  return text;
}

Result<MountSource> MountSource::Parse(std::string_view text) {
  // Hosts contain no '/', so that the first one begins the path.
  std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return Malformed(text, "it names no volume");
  if (slash < 2 || text[slash - 1] != ':') return Malformed(text, "there is no HOST before the volume");

  MountSource source;
  std::string_view hosts = text.substr(0, slash - 1);
  if (hosts.back() == ',') return Malformed(text, "a host is empty");
  while (!hosts.empty()) {
    std::string_view host = TakeUpTo(hosts, ',');
    if (host.empty()) return Malformed(text, "a host is empty");
    Result<Endpoint> endpoint = Endpoint::Parse(host, kDefaultMetaserverPort);
    if (!endpoint) return Malformed(text, endpoint.error().message());
    source.metaservers.push_back(std::move(*endpoint));
  }

  std::string_view path = text.substr(slash + 1);
  while (!path.empty()) {
    std::string_view part = TakeUpTo(path, '/');
    if (part.empty()) continue;
    if (part == "." || part == "..") return Malformed(text, "its path contains '" + std::string(part) + "'");
    if (source.volume.empty()) {
      source.volume = part;
    } else {
      if (!source.subdir.empty()) source.subdir += "/";
      source.subdir += part;
    }
  }
  if (source.volume.empty()) return Malformed(text, "it names no volume");
  return source;
}

}  // namespace gabion
