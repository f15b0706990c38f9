#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/byte_units.h"

namespace gabion {

/// XXH3-64 of a block or of a part of one (DESIGN 1, "End-to-end integrity").
using BlockChecksum = std::uint64_t;

BlockChecksum ChecksumOf(std::span<const std::byte> bytes);

/// The checksum of a block of zeros, which is what a hole reads as.
BlockChecksum ZeroBlockChecksum();

/// The checksums of the pieces that block boundaries cut `bytes` into, where bytes[0] lies at `offset_bytes` of a
/// chunk: the first and last piece may be shorter than a block.
std::vector<BlockChecksum> PieceChecksums(std::uint64_t offset_bytes, std::span<const std::byte> bytes);

}  // namespace gabion
