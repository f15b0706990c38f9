#pragma once

#include <cstdint>
#include <vector>

namespace gabion {

/// A 4 KiB block of a store: slabs one after the other, counted in blocks. The first is 0.
using BlockAddress = std::uint64_t;

/// In place of an address: no block; reads as zeros.
inline constexpr BlockAddress kHole = UINT64_MAX;

/// Blocks in a row, within one slab.
struct BlockRun {
  BlockAddress first = 0;
  std::uint32_t count = 0;

  BlockAddress end() const { return first + count; }
  friend bool operator==(const BlockRun&, const BlockRun&) = default;
};

/// Adds a block to the last run if it follows it, else as a run of its own.
inline void AppendBlock(std::vector<BlockRun>& runs, BlockAddress address) {
  if (!runs.empty() && runs.back().end() == address && runs.back().count < UINT32_MAX) {
    ++runs.back().count;
  } else {
    runs.push_back({address, 1});
  }
}

}  // namespace gabion
