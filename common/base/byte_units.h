#pragma once

#include <cstdint>

namespace gabion {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

/// A checksum covers one block, an index record one page, a placement decision one chunk (DESIGN 3, 5.5).
inline constexpr std::uint64_t kBlockBytes = 4 * kKiB;
inline constexpr std::uint64_t kPageBytes = 64 * kKiB;
inline constexpr std::uint64_t kChunkBytes = 64 * kMiB;
inline constexpr std::uint64_t kBlocksPerPage = kPageBytes / kBlockBytes;
inline constexpr std::uint64_t kPagesPerChunk = kChunkBytes / kPageBytes;

/// The largest payload of one frame, and so of one write or read of a chunk.
inline constexpr std::uint64_t kMaxPayloadBytes = 4 * kMiB;

/// 16 EiB - 1 does not fit a signed 64-bit offset, in which POSIX counts; this is what does.
inline constexpr std::uint64_t kMaxFileBytes = INT64_MAX;

constexpr std::uint64_t RoundDown(std::uint64_t value, std::uint64_t unit) {
  return value / unit * unit;
}
/// `value` at most 2^64 - unit.
constexpr std::uint64_t RoundUp(std::uint64_t value, std::uint64_t unit) {
  return RoundDown(value + unit - 1, unit);
}

}  // namespace gabion
