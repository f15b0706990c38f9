#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/env/transport.h"

namespace gabion {

inline constexpr std::uint16_t kDefaultMetaserverPort = 9470;

/// What is mounted: HOST:PORT[,HOST:PORT...]:/VOLUME[/SUBDIR]. The port may be left out; IPv6 addresses stand in
/// brackets.
struct MountSource {
  std::vector<Endpoint> metaservers;
  std::string volume;
  std::string subdir;  // "" or "a/b"

  /// The same with all ports, which is what findmnt shows and what mounts the same again.
  std::string ToString() const;
  /// Errors: kInvalidArgument, saying what is wrong and what it should look like. Pure.
  static Result<MountSource> Parse(std::string_view text);
};

}  // namespace gabion
