#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/result.h"
#include "common/env/transport.h"

namespace gabion {

/// The fixed first part of every frame on the wire; docs/formats/rpc_frame.md has the bytes. Everything here is pure.
inline constexpr std::size_t kFrameHeadBytes = 40;
using FrameHeadBytes = std::array<std::byte, kFrameHeadBytes>;

/// Hellos come from whoever found the port, so they get less room than frames of a greeted peer.
inline constexpr std::size_t kMaxHelloHeaderBytes = 4096;

/// A decoded head. Its lengths are within kMaxHeaderBytes and kMaxPayloadBytes, so they may be allocated and waited
/// for.
struct FrameHead {
  FrameKind kind = FrameKind::kRequest;
  std::uint16_t method = 0;
  ErrorCode status = ErrorCode::kOk;
  std::uint64_t request_id = 0;
  std::uint32_t deadline_ms = 0;
  std::uint32_t header_bytes = 0;
  std::uint32_t payload_bytes = 0;
  std::uint32_t header_checksum = 0;  // of the Protobuf header that follows
};

/// Errors: kInvalidArgument if the frame's header or payload is larger than a frame may carry. Senders check before
/// they encode; receivers need not, for DecodeFrameHead refuses such frames.
Result<void> CheckFrameLimits(const Frame& frame);

/// The head that precedes `frame`'s header and payload. CHECKs the limits.
FrameHeadBytes EncodeFrameHead(const Frame& frame);

/// Errors: kProtocol, saying which field is wrong and how; the stream cannot be read any further then.
Result<FrameHead> DecodeFrameHead(std::span<const std::byte, kFrameHeadBytes> bytes);

/// Errors: kProtocol if `header` is not what the head's checksum was made of.
Result<void> CheckFrameHeader(const FrameHead& head, std::string_view header);

/// A frame with the head's fields; header and payload are the caller's to fill in.
Frame FrameOf(const FrameHead& head);

}  // namespace gabion
