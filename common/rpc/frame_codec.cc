#include "common/rpc/frame_codec.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "common/base/byte_units.h"
#include "common/base/check.h"

namespace gabion {
namespace {

// Offsets of docs/formats/rpc_frame.md.
constexpr std::size_t kMagicAt = 0;
constexpr std::size_t kLayoutAt = 4;
constexpr std::size_t kKindAt = 6;
constexpr std::size_t kFlagsAt = 7;
constexpr std::size_t kMethodAt = 8;
constexpr std::size_t kStatusAt = 10;
constexpr std::size_t kDeadlineAt = 12;
constexpr std::size_t kRequestIdAt = 16;
constexpr std::size_t kHeaderBytesAt = 24;
constexpr std::size_t kPayloadBytesAt = 28;
constexpr std::size_t kHeaderChecksumAt = 32;
constexpr std::size_t kHeadChecksumAt = 36;
static_assert(kHeadChecksumAt + sizeof(std::uint32_t) == kFrameHeadBytes);

constexpr std::uint32_t kMagic = 0x4e424147;  // "GABN"
constexpr std::uint16_t kLayout = 1;

// Byte by byte, so that the order does not depend on the machine; compilers make one store or load of it.
template <typename Integer>
void Put(FrameHeadBytes& bytes, std::size_t offset, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    bytes[offset + i] = static_cast<std::byte>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xff);
  }
}

template <typename Integer>
Integer Take(std::span<const std::byte, kFrameHeadBytes> bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    value |= std::to_integer<std::uint64_t>(bytes[offset + i]) << (8 * i);
  return static_cast<Integer>(value);
}

std::uint32_t Checksum32(const void* data, std::size_t size) {
  return static_cast<std::uint32_t>(XXH3_64bits(data, size) & 0xffffffff);
}

bool IsHello(FrameKind kind) {
  return kind == FrameKind::kHello || kind == FrameKind::kHelloReply;
}

std::size_t MaxHeaderBytes(FrameKind kind) {
  return IsHello(kind) ? kMaxHelloHeaderBytes : kMaxHeaderBytes;
}
std::size_t MaxPayloadBytes(FrameKind kind) {
  return IsHello(kind) ? 0 : kMaxPayloadBytes;
}

Error Malformed(std::string what) {
  return {ErrorCode::kProtocol, "malformed frame: " + std::move(what)};
}

Result<void> CheckLengths(FrameKind kind, std::size_t header_bytes, std::size_t payload_bytes, ErrorCode code) {
  if (header_bytes > MaxHeaderBytes(kind)) {
    return {code, fmt::format("a header of {} bytes is over the limit of {}", header_bytes, MaxHeaderBytes(kind))};
  }
  if (payload_bytes > MaxPayloadBytes(kind)) {
    return {code, fmt::format("a payload of {} bytes is over the limit of {}", payload_bytes, MaxPayloadBytes(kind))};
  }
  return {};
}

}  // namespace

Result<void> CheckFrameLimits(const Frame& frame) {
  return CheckLengths(frame.kind, frame.header.size(), frame.payload.size(), ErrorCode::kInvalidArgument);
}

FrameHeadBytes EncodeFrameHead(const Frame& frame) {
  CHECK(CheckFrameLimits(frame).has_value());
  FrameHeadBytes bytes;
  Put(bytes, kMagicAt, kMagic);
  Put(bytes, kLayoutAt, kLayout);
  Put(bytes, kKindAt, static_cast<std::uint8_t>(frame.kind));
  Put(bytes, kFlagsAt, std::uint8_t{0});
  Put(bytes, kMethodAt, frame.method);
  Put(bytes, kStatusAt, static_cast<std::uint16_t>(frame.status));
  Put(bytes, kDeadlineAt, frame.deadline_ms);
  Put(bytes, kRequestIdAt, frame.request_id);
  Put(bytes, kHeaderBytesAt, static_cast<std::uint32_t>(frame.header.size()));
  Put(bytes, kPayloadBytesAt, static_cast<std::uint32_t>(frame.payload.size()));
  Put(bytes, kHeaderChecksumAt, Checksum32(frame.header.data(), frame.header.size()));
  Put(bytes, kHeadChecksumAt, Checksum32(bytes.data(), kHeadChecksumAt));
  return bytes;
}

Result<FrameHead> DecodeFrameHead(std::span<const std::byte, kFrameHeadBytes> bytes) {
  // The magic first: whoever talks something else to the port should read that, not of a wrong checksum.
  auto magic = Take<std::uint32_t>(bytes, kMagicAt);
  if (magic != kMagic)
    return Malformed(fmt::format("it begins with {:#010x}; the peer does not speak Gabion's protocol", magic));
  if (Take<std::uint32_t>(bytes, kHeadChecksumAt) != Checksum32(bytes.data(), kHeadChecksumAt)) {
    return Malformed("the checksum of its head is wrong");
  }
  auto layout = Take<std::uint16_t>(bytes, kLayoutAt);
  if (layout != kLayout) return Malformed(fmt::format("layout {} is unknown", layout));
  auto kind = Take<std::uint8_t>(bytes, kKindAt);
  if (kind < static_cast<std::uint8_t>(FrameKind::kHello) || kind > static_cast<std::uint8_t>(FrameKind::kResponse)) {
    return Malformed(fmt::format("kind {} is unknown", kind));
  }
  auto flags = Take<std::uint8_t>(bytes, kFlagsAt);
  if (flags != 0) return Malformed(fmt::format("flags {:#04x} are unknown", flags));

  FrameHead head;
  head.kind = static_cast<FrameKind>(kind);
  head.method = Take<std::uint16_t>(bytes, kMethodAt);
  head.status = static_cast<ErrorCode>(Take<std::uint16_t>(bytes, kStatusAt));
  head.request_id = Take<std::uint64_t>(bytes, kRequestIdAt);
  head.deadline_ms = Take<std::uint32_t>(bytes, kDeadlineAt);
  head.header_bytes = Take<std::uint32_t>(bytes, kHeaderBytesAt);
  head.payload_bytes = Take<std::uint32_t>(bytes, kPayloadBytesAt);
  head.header_checksum = Take<std::uint32_t>(bytes, kHeaderChecksumAt);
  if (Result<void> checked = CheckLengths(head.kind, head.header_bytes, head.payload_bytes, ErrorCode::kProtocol);
      !checked) {
    return checked.error().WithContext("malformed frame");
  }
  return head;
}

Result<void> CheckFrameHeader(const FrameHead& head, std::string_view header) {
  if (header.size() != head.header_bytes || Checksum32(header.data(), header.size()) != head.header_checksum) {
    return Malformed("the checksum of its header is wrong");
  }
  return {};
}

Frame FrameOf(const FrameHead& head) {
  Frame frame;
  frame.kind = head.kind;
  frame.method = head.method;
  frame.status = head.status;
  frame.request_id = head.request_id;
  frame.deadline_ms = head.deadline_ms;
  return frame;
}

}  // namespace gabion
