#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "chunkserver/store/block_run.h"
#include "common/base/byte_units.h"
#include "common/base/checksum.h"
#include "common/base/result.h"

namespace gabion {

/// Where a block's bytes are, and what they must add up to. A hole's checksum is 0 here and ZeroBlockChecksum()
/// outside.
struct BlockEntry {
  BlockAddress address = kHole;
  BlockChecksum checksum = 0;

  bool is_hole() const { return address == kHole; }
  friend bool operator==(const BlockEntry&, const BlockEntry&) = default;
};

/// The blocks of one 64 KiB page of a chunk: a value of the chunk index (docs/formats/chunk_index.md).
struct PageRecord {
  std::array<BlockEntry, kBlocksPerPage> blocks;

  bool all_holes() const;
  friend bool operator==(const PageRecord&, const PageRecord&) = default;
};

std::string EncodePageRecord(const PageRecord& record);
/// Errors: kCorrupt; kVersionMismatch for a record of a newer program.
Result<PageRecord> DecodePageRecord(std::string_view value);

}  // namespace gabion
