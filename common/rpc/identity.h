#pragma once

#include <cstdint>
#include <string>

#include "proto/common.pb.h"

namespace gabion {

inline constexpr std::uint32_t kProtocolVersionMin = 4;
inline constexpr std::uint32_t kProtocolVersionMax = 4;

/// "gabion 0.1.0"
std::string SoftwareVersion();

/// What one side says of itself in the handshake.
struct Identity {
  proto::Role role = proto::ROLE_UNKNOWN;
  std::string host_id;       // boot id of the machine; empty in simulation
  std::uint64_t number = 0;  // server id of a chunkserver, session of a client
};

}  // namespace gabion
