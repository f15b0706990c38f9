#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "chunkserver/store/index_key.h"
#include "common/base/buffer.h"
#include "common/base/checksum.h"
#include "common/base/result.h"

namespace gabion {

/// A block whose bytes are in the index itself until they are moved to a slab: a small write that had to be durable at
/// once.
struct InlineBlock {
  Slice data;  // 4 KiB; empty: zeros
  BlockChecksum checksum = 0;
  std::uint64_t number = 0;  // of the write, so that a later one to the same block can be told

  bool is_zero() const { return data.empty(); }
};

struct InlineWrite {
  BlockKey key;
  InlineBlock block;
};

std::string EncodeInlineBlock(const InlineBlock& block);
/// Errors: kCorrupt, also if the bytes do not fit the checksum; kVersionMismatch for a record of a newer program.
Result<InlineBlock> DecodeInlineBlock(std::string_view value);

/// All inline blocks of a store, which covers what the pages say: mirrors the table I of the index, bytes included.
/// Once a block is in here, every write to it goes here, until it is moved to a slab that is synced; so a plain write
/// never stands between a durable inline block and a power loss. Pure memory, not thread-safe.
class InlineBlocks {
 public:
  void Put(const InlineWrite& write);
  void Remove(BlockKey key) { blocks_.erase(key); }

  /// Those of `chunk` in [first, last], in order.
  std::vector<InlineWrite> Find(ChunkId chunk, std::uint16_t first, std::uint16_t last) const;
  const InlineBlock* Find(BlockKey key) const;
  /// Up to `count` blocks from `from` on, in order.
  std::vector<InlineWrite> Next(BlockKey from, std::size_t count) const;

  bool empty() const { return blocks_.empty(); }
  std::size_t size() const { return blocks_.size(); }
  /// Numbers of later writes are larger.
  std::uint64_t last_number() const { return last_number_; }

 private:
  std::map<BlockKey, InlineBlock> blocks_;
  std::uint64_t last_number_ = 0;
};

}  // namespace gabion
