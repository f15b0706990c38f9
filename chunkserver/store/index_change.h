#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "chunkserver/store/block_run.h"
#include "chunkserver/store/index_key.h"
#include "chunkserver/store/inline_blocks.h"
#include "chunkserver/store/page_record.h"
#include "common/base/ids.h"

namespace gabion {

/// A page of the index gets another record. `before` is what the index has now: whoever makes the change holds the
/// page's lock from reading it to the commit.
struct PageChange {
  PageKey key;
  PageRecord before;
  PageRecord after;
  std::uint16_t shared = 0;  // bit i: block i of `after` was allocated by another page and gets one more reference
};

/// A chunk's own record changes; it is made if it is not there, unless the chunk was removed lately. Values only grow,
/// except by `cut_to_bytes` and `adopt_trim_generation`.
struct ChunkChange {
  ChunkId chunk;
  bool remove = false;
  std::optional<std::int64_t> tombstone_ns;  // with `remove`: it is not to be made anew; the wall time
  PgId pg;
  Epoch epoch;
  std::uint32_t grow_to_bytes = 0;
  std::optional<std::uint32_t> cut_to_bytes;
  std::uint64_t trim_generation = 0;
  std::optional<std::uint64_t> adopt_trim_generation;
  bool unsettled = false;  // other members may not have the change
};

/// What one atomic commit does to the index.
struct IndexChange {
  std::optional<ChunkChange> chunk;
  std::vector<PageChange> pages;  // ascending
  std::vector<InlineWrite> inline_writes;
  std::vector<BlockKey> inline_removals;
  bool data_is_durable = false;  // the slabs were synced after the new blocks were written
};

}  // namespace gabion
