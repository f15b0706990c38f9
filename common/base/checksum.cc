#include "common/base/checksum.h"

#include <xxhash.h>

#include <algorithm>
#include <array>

namespace gabion {

BlockChecksum ChecksumOf(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

BlockChecksum ZeroBlockChecksum() {
  static const BlockChecksum checksum = ChecksumOf(std::array<std::byte, kBlockBytes>{});
  return checksum;
}

std::vector<BlockChecksum> PieceChecksums(std::uint64_t offset_bytes, std::span<const std::byte> bytes) {
  std::vector<BlockChecksum> checksums;
  checksums.reserve(bytes.size() / kBlockBytes + 2);
  while (!bytes.empty()) {
    std::size_t to_boundary = kBlockBytes - offset_bytes % kBlockBytes;
    std::size_t length = std::min(to_boundary, bytes.size());
    checksums.push_back(ChecksumOf(bytes.first(length)));
    bytes = bytes.subspan(length);
    offset_bytes += length;
  }
  return checksums;
}

}  // namespace gabion
