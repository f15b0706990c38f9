#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace gabion {

/// What a store is: one record of the chunk index (docs/formats/chunk_index.md).
struct Superblock {
  std::uint64_t store_id = 0;           // drawn when the store is made
  std::uint64_t slab_bytes = 0;         // for ever: block addresses depend on it
  std::uint32_t slab_count = 0;         // slabs made so far
  std::string boot_id;                  // of the machine, when it was opened last
  std::vector<std::uint64_t> siblings;  // store ids of this server, this one included, when the store was first used

  friend bool operator==(const Superblock&, const Superblock&) = default;
};

inline constexpr std::uint64_t kSlabBytesMin = 64 * 1024;
inline constexpr std::uint64_t kSlabBytesMax = 1ull << 40;
inline constexpr std::size_t kSiblingsMax = 256;

std::string EncodeSuperblock(const Superblock& superblock);
/// Errors: kCorrupt; kVersionMismatch for a store of another program's format.
Result<Superblock> DecodeSuperblock(std::string_view value);

}  // namespace gabion
